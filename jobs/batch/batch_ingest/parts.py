"""Parts: the lines of a run as immutable objects of bounded size, written while the source still sends.

A part is named by the digest of what is in it: who writes the same lines again writes the same object, whichever
process it is and however the first one ended. What belongs to a run is what its receipt lists.
"""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

from isal import igzip

from batch_ingest.entities import Entity
from batch_ingest.records import Valid
from batch_ingest.uploads import Uploads
from dataplatform.errors import InvalidDataError
from dataplatform.rawzone import RawZone, batch_object, digest

#: isal's fastest level that still compresses well: a quarter of zlib's time for a few per cent more bytes.
_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Part:
    """An object of a run. `changed` says that the run before did not have its records, or is not known."""

    name: str
    count: int
    bytes: int
    """Compressed bytes, the object's size."""
    digest: str
    """Digest of its records, part of the name."""
    md5: str
    """Of the object's bytes, in hex: what Cloud Storage knows of it too."""
    changed: bool = True

    def described(self) -> dict[str, Any]:
        """Return it as a manifest lists it."""
        return {
            "name": self.name,
            "count": self.count,
            "bytes": self.bytes,
            "digest": self.digest,
            "md5": self.md5,
            "changed": self.changed,
        }

    @classmethod
    def read(cls, state: dict[str, Any]) -> Self:
        """Return what `described` said. Raises KeyError, TypeError or ValueError when it did not."""
        return cls(
            str(state["name"]),
            int(state["count"]),
            int(state["bytes"]),
            str(state["digest"]),
            str(state["md5"]),
            bool(state["changed"]),
        )


class PartWriter:
    """Fills parts and writes them; `written` grows as they are durable."""

    def __init__(
        self, zone: RawZone, entity: Entity, day: date, uploads: Uploads, *, max_bytes: int, changed: bool = True
    ) -> None:
        """A part has `max_bytes` of lines at most, before compression; a longer line has one of its own."""
        self._zone = zone
        self._entity = entity.name
        self._day = day
        self._uploads = uploads
        self._max_bytes = max_bytes
        self._changed = changed
        self._overhead = len(self._head(self._name("0" * 16)))
        self._lines: list[bytes] = []
        self._digests: list[bytes] = []
        self._size = 0
        self._cuts = 0
        self._written: dict[int, Part] = {}

    @property
    def written(self) -> list[Part]:
        """Return the parts that are durable, in the order of their records."""
        return [self._written[number] for number in sorted(self._written)]

    def fits(self, record: Valid) -> bool:
        """Return whether the record can be added; if not, `cut` first."""
        return not self._lines or self._size + len(record.line) + self._overhead <= self._max_bytes

    def add(self, record: Valid) -> None:
        """Put a record into the part that is being filled."""
        self._lines.append(record.line)
        self._digests.append(record.digest)
        self._size += len(record.line) + self._overhead

    async def cut(self) -> None:
        """Start to write what was added, and begin the next part. Raises what an earlier write raised."""
        if not self._lines:
            return
        lines, key, number = self._lines, digest(b"".join(self._digests)), self._cuts
        self._lines, self._digests, self._size = [], [], 0
        self._cuts += 1

        async def write() -> None:
            name = self._name(key)
            data = await asyncio.to_thread(_compressed, self._head(name), lines)
            data = await store(self._zone, name, data, count=len(lines))
            md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
            self._written[number] = Part(name, len(lines), len(data), key, md5, self._changed)

        await self._uploads.start(write)

    def _name(self, key: str) -> str:
        return batch_object(self._entity, self._day, key)

    def _head(self, name: str) -> bytes:
        """Return the start of each line; joining bytes spares encoding each line anew."""
        return b'{"raw_uri":' + json.dumps(self._zone.uri(name)).encode() + b","


async def store(zone: RawZone, name: str, data: bytes, *, count: int) -> bytes:
    """Create a compressed object; return the bytes that it has.

    They are others when the same text was there already, compressed by another version of the library.

    Raises:
        InvalidDataError: an object of that name holds something else.
        UnavailableError: the bucket did not answer within the retry deadline.
    """
    try:
        await zone.create(name, data, metadata={"count": str(count)})
    except InvalidDataError:
        found = await zone.read(name)
        if found is None or igzip.decompress(found.data) != igzip.decompress(data):
            raise
        return found.data
    return data


def compressed(text: bytes | bytearray) -> bytes:
    """Return text as gzip that holds no time of its own."""
    data: bytes = igzip.compress(text, _LEVEL, mtime=0)
    return data


def _compressed(head: bytes, lines: Sequence[bytes]) -> bytes:
    return compressed(head + head.join(lines))
