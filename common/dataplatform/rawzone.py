"""The raw zone: immutable objects in Cloud Storage, created once and never changed.

Names are pure functions of the content's place in the world, so that writing the same thing twice is a no-op.
"""

import asyncio
import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from google.api_core.exceptions import NotFound, PreconditionFailed

from dataplatform.errors import InvalidDataError
from dataplatform.retry import Retrier

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def digest(data: bytes) -> str:
    """Return the short content digest that object names end in."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def events_object(consumer: str, first_publish: datetime, sequence: int, content_digest: str) -> str:
    """Return the name of a batch of cart events, filed by the hour of its first publish time."""
    first = first_publish.astimezone(UTC)
    milliseconds = (first - _EPOCH) // timedelta(milliseconds=1)
    return (
        f"carts_events/dt={first:%Y-%m-%d}/hr={first:%H}/{consumer}-{milliseconds}-{sequence}-{content_digest}.jsonl.gz"
    )


def batch_object(entity: str, day: date, content_digest: str) -> str:
    """Return the name of a part of a batch run: the same records of a day are the same object, whoever writes them."""
    return f"{entity}/dt={day:%Y-%m-%d}/part-{content_digest}.jsonl.gz"


def quarantine_object(entity: str, day: datetime, content_digest: str) -> str:
    """Return the name of a set of quarantined records."""
    return f"quarantine/{entity}/dt={day.astimezone(UTC):%Y-%m-%d}/{content_digest}.jsonl.gz"


@dataclass(frozen=True, slots=True)
class Versioned:
    """An object's bytes with the generation to state when it is replaced."""

    data: bytes
    generation: int


class RawZone:
    """One bucket. All calls are retried under one policy; the client's own retries are off."""

    def __init__(self, client: Any, bucket: str, retrier: Retrier, *, timeout_seconds: float) -> None:
        """`client` is a `google.cloud.storage.Client`; its calls block and run in threads."""
        self._client = client
        self._bucket = client.bucket(bucket)
        self._retry = retrier
        self._timeout = timeout_seconds

    def uri(self, name: str) -> str:
        """Return the `gs://` address of an object."""
        return f"gs://{self._bucket.name}/{name}"

    async def create(
        self,
        name: str,
        data: bytes,
        *,
        metadata: Mapping[str, str] | None = None,
        content_type: str = "application/gzip",
    ) -> bool:
        """Create an object; return False when it was there already with the same content.

        The name carries a digest of the content or the run's identity, so "already there" is what a retry after a
        lost answer finds.

        Raises:
            InvalidDataError: an object of that name exists with other content.
            UnavailableError: the deadline passed.
            google.api_core.exceptions.GoogleAPICallError: bucket missing or permission denied.
        """
        checksum = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()

        def upload() -> bool:
            blob = self._bucket.blob(name)
            blob.metadata = dict(metadata or {})
            blob.md5_hash = checksum
            try:
                blob.upload_from_string(
                    data, content_type=content_type, if_generation_match=0, timeout=self._timeout, retry=None
                )
            except PreconditionFailed:
                blob.reload(timeout=self._timeout, retry=None)
                if blob.md5_hash != checksum:
                    raise InvalidDataError(
                        f"{self.uri(name)} exists with other content, and raw objects are never changed"
                    ) from None
                return False
            return True

        return await self._retry(f"writing {self.uri(name)}", lambda: asyncio.to_thread(upload))

    async def read(self, name: str) -> Versioned | None:
        """Return an object's bytes as stored, or None when there is no such object."""

        def download() -> Versioned | None:
            blob = self._bucket.blob(name)
            try:
                data = blob.download_as_bytes(raw_download=True, timeout=self._timeout, retry=None)
            except NotFound:
                return None
            return Versioned(data, int(blob.generation or 0))

        return await self._retry(f"reading {self.uri(name)}", lambda: asyncio.to_thread(download))

    async def replace(self, name: str, data: bytes, *, generation: int) -> int | None:
        """Replace a state object if its generation is still `generation` (0: it must not exist).

        Return the new generation, or None when somebody else wrote in between. Only objects under `_state/` change.
        """

        def upload() -> int | None:
            blob = self._bucket.blob(name)
            try:
                blob.upload_from_string(
                    data,
                    content_type="application/octet-stream",
                    if_generation_match=generation,
                    timeout=self._timeout,
                    retry=None,
                )
            except PreconditionFailed:
                return None
            return int(blob.generation or 0)

        return await self._retry(f"writing {self.uri(name)}", lambda: asyncio.to_thread(upload))

    async def names(self, prefix: str) -> list[str]:
        """Return the names of all objects below `prefix`, sorted."""

        def listing() -> list[str]:
            blobs = self._client.list_blobs(self._bucket, prefix=prefix, timeout=self._timeout, retry=None)
            return sorted(blob.name for blob in blobs)

        return await self._retry(f"listing {self.uri(prefix)}", lambda: asyncio.to_thread(listing))

    async def remove_state(self, name: str) -> None:
        """Remove a state object, if it is there. Only objects under `_state/` are ever removed.

        Raises:
            ValueError: the name is not under `_state/`.
        """
        if not name.startswith("_state/"):
            raise ValueError(f"{self.uri(name)} is no state and stays")

        def removal() -> None:
            try:
                self._bucket.blob(name).delete(timeout=self._timeout, retry=None)
            except NotFound:
                return

        await self._retry(f"removing {self.uri(name)}", lambda: asyncio.to_thread(removal))
