"""What upkeep asks of the bucket beyond writing and reading: what is there, copying, deleting by generation."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.api_core.exceptions import NotFound, PreconditionFailed

from dataplatform.errors import InvalidDataError
from dataplatform.retry import Retrier


@dataclass(frozen=True, slots=True)
class Stored:
    """An object of the listing: `size` in bytes as stored, `lines` as its metadata tells, `md5` in base64."""

    name: str
    size: int
    created: datetime
    generation: int
    md5: str
    lines: int = 0


class Bucket:
    """One bucket. All calls are retried under one policy; the client's own retries are off."""

    def __init__(self, client: Any, bucket: str, retrier: Retrier, *, timeout_seconds: float) -> None:
        """`client` is a `google.cloud.storage.Client`; its calls block and run in threads."""
        self._client = client
        self._bucket = client.bucket(bucket)
        self._retry = retrier
        self._options: dict[str, Any] = {"timeout": timeout_seconds, "retry": None}

    async def objects(self, prefix: str, *, at_most: int | None = None) -> list[Stored]:
        """Return the objects below `prefix` in the order of their names."""

        def listing() -> list[Stored]:
            blobs = self._client.list_blobs(self._bucket, prefix=prefix, max_results=at_most, **self._options)
            found = [
                Stored(
                    name=blob.name,
                    size=int(blob.size or 0),
                    created=blob.time_created,
                    generation=int(blob.generation),
                    md5=blob.md5_hash or "",
                    lines=int((blob.metadata or {}).get("count", 0)),
                )
                for blob in blobs
            ]
            return sorted(found, key=lambda stored: stored.name)

        return await self._retry(f"listing {prefix}", lambda: asyncio.to_thread(listing))

    async def copy(self, stored: Stored, name: str) -> None:
        """Make `name` a copy of an object. A copy that is there already is as good, if it is one.

        Raises:
            InvalidDataError: an object of that name holds something else, or the object is another one by now.
        """

        def run() -> str:
            source, target = self._bucket.blob(stored.name), self._bucket.blob(name)
            try:
                target = self._bucket.copy_blob(
                    source,
                    self._bucket,
                    name,
                    if_generation_match=0,
                    if_source_generation_match=stored.generation,
                    **self._options,
                )
            except PreconditionFailed:
                target.reload(**self._options)
            return str(target.md5_hash)

        if await self._retry(f"copying {stored.name}", lambda: asyncio.to_thread(run)) != stored.md5:
            raise InvalidDataError(f"{name} is no copy of {stored.name}: look at both, and run again")

    async def delete(self, stored: Stored) -> bool:
        """Delete an object if it is still the one that was listed; return False when it is gone or another one."""

        def run() -> bool:
            try:
                self._bucket.blob(stored.name).delete(if_generation_match=stored.generation, **self._options)
            except (NotFound, PreconditionFailed):
                return False
            return True

        return await self._retry(f"deleting {stored.name}", lambda: asyncio.to_thread(run))
