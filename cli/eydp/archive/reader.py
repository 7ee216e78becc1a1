"""Reads cart events from the raw zone in bounded memory, each line once, also while a compaction is at work."""

import asyncio
import gzip
import zlib
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from dataplatform.errors import InvalidDataError
from dataplatform.rawzone import RawZone
from eydp.archive.bucket import Bucket
from eydp.archive.joined import EVENTS, MANIFESTS, Manifest, is_joined, read_manifest, retired_name, visible

#: Objects that are read ahead, and what they may weigh together as stored.
_AHEAD = 8
_AHEAD_BYTES = 8 << 20
#: For objects of which the listing told no size.
_UNKNOWN_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Readable:
    """An object to read. `created` is None for a joined one: its originals were old when they were joined."""

    name: str
    size: int
    created: datetime | None
    lines: int = 0

    def younger_than(self, moment: datetime) -> bool:
        """Return whether the object was written after a moment."""
        return self.created is not None and self.created > moment


def day_prefix(day: date) -> str:
    """Return the folder of a day's cart events."""
    return f"{EVENTS}dt={day:%Y-%m-%d}/"


def prefixes(first: date, last: date) -> list[str]:
    """Return the folders of some days, with the hours before and after.

    Objects are filed by their first publish time: one of the hour before may hold messages of the first day, and one
    of the hour after may hold events that were observed on the last.
    """
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    before, after = first - timedelta(days=1), last + timedelta(days=1)
    return [f"{day_prefix(before)}hr=23/", *map(day_prefix, days), f"{day_prefix(after)}hr=00/"]


class Archive:
    """The events of the raw zone."""

    def __init__(self, zone: RawZone, bucket: Bucket) -> None:
        self._zone = zone
        self._bucket = bucket

    async def objects(self, prefix: str) -> list[Readable]:
        """Return the objects below a prefix that together hold every line once."""
        found = {stored.name: stored for stored in await self._bucket.objects(prefix)}
        # After the objects: what was joined in between is hidden, or read from where it was retired to.
        manifests = await self.manifests(prefix)
        readable = []
        for name in visible(found, manifests):
            stored = found.get(name)
            created = None if stored is None or is_joined(name) else stored.created
            size, lines = (stored.size, stored.lines) if stored else (_UNKNOWN_BYTES, 0)
            readable.append(Readable(name, size, created, lines))
        return readable

    async def manifests(self, prefix: str) -> list[Manifest]:
        """Return the manifests of the joined objects below a prefix."""
        made = []
        for name in await self._zone.names(f"{MANIFESTS}{prefix}"):
            stored = await self._zone.read(name)
            if stored is not None:
                made.append(read_manifest(self._zone.uri(name), stored.data))
        return made

    async def first_day(self) -> date | None:
        """Return the day of the oldest object, or None when there is none."""
        found = await self._bucket.objects(f"{EVENTS}dt=", at_most=1)
        return date.fromisoformat(found[0].name.removeprefix(f"{EVENTS}dt=").partition("/")[0]) if found else None

    async def everything(self, now: datetime) -> AsyncIterator[list[Readable]]:
        """Yield the objects of each day, from the first to today."""
        day = await self.first_day()
        while day is not None and day <= now.astimezone(UTC).date():
            if found := await self.objects(day_prefix(day)):
                yield found
            day += timedelta(days=1)

    async def text(self, name: str) -> bytes:
        """Return an object's lines; those of an original that was joined meanwhile from where it was retired to.

        Raises:
            InvalidDataError: the object is in neither place, or can't be decompressed.
        """
        stored = await self._zone.read(name) or await self._zone.read(retired_name(name))
        if stored is None:
            raise InvalidDataError(f"{self._zone.uri(name)} was listed and is not there, nor was it retired")
        try:
            return gzip.decompress(stored.data)
        except (OSError, EOFError, zlib.error) as error:
            raise InvalidDataError(f"{self._zone.uri(name)} can't be read: {error}") from error

    async def texts(self, objects: Iterable[Readable]) -> AsyncIterator[tuple[Readable, bytes]]:
        """Yield objects with their lines, in order; a few small ones are fetched ahead. Raises what `text` raises."""
        waiting = deque(objects)
        ahead: deque[tuple[Readable, asyncio.Task[bytes]]] = deque()
        try:
            while waiting or ahead:
                while waiting and (not ahead or _fits([each for each, _ in ahead], waiting[0])):
                    readable = waiting.popleft()
                    ahead.append((readable, asyncio.create_task(self.text(readable.name))))
                readable, task = ahead.popleft()
                yield readable, await task
        finally:
            for _, task in ahead:
                task.cancel()
            await asyncio.gather(*(task for _, task in ahead), return_exceptions=True)


def _fits(ahead: Sequence[Readable], one: Readable) -> bool:
    return len(ahead) < _AHEAD and sum(each.size for each in ahead) + one.size <= _AHEAD_BYTES
