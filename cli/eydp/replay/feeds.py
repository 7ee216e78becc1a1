"""Where the rows of a staging table come from: the raw zone, some hundred lines at a time."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

from dataplatform.envelope import Line, read_lines
from dataplatform.errors import InvalidDataError
from dataplatform.rawzone import RawZone
from dataplatform.schemas import QUARANTINE, Column
from eydp.archive.bucket import Bucket, Stored
from eydp.archive.reader import Archive, Readable, prefixes
from eydp.replay.quarantined import ENTITIES, day_prefix, quarantine_row, row_day, row_line
from eydp.replay.rows import EventRows
from eydp.replay.spans import days_between


@dataclass(slots=True)
class Counts:
    """What was read so far."""

    objects: int = 0
    lines: int = 0
    invalid: int = 0
    """Lines that break the contract of this version."""
    refused: int = 0
    """Lines whose rows BigQuery refused; quarantine holds them."""
    young_objects: int = 0
    """Objects left alone, as a consumer may be about to append their rows."""
    young_lines: int = 0


#: Is told how many objects and lines there were so far.
Progress = Callable[[Any], None]


@dataclass(slots=True)
class Piece:
    """Lines for a load job, and the day partitions they belong to."""

    lines: Sequence[bytes]
    days: set[date] = field(default_factory=set)


class Feed(Protocol):
    """Rows from the raw zone, once through."""

    @property
    def columns(self) -> Sequence[Column]:
        """Return the columns of the rows."""
        ...

    @property
    def counts(self) -> Counts:
        """Return what was read so far."""
        ...

    def pieces(self) -> AsyncIterator[Piece]:
        """Yield the rows. Raises `InvalidDataError` when an object can't be read."""
        ...


class EventsFeed:
    """Cart events of some days, or all that there are."""

    def __init__(
        self,
        archive: Archive,
        zone: RawZone,
        rows: EventRows,
        *,
        now: datetime,
        young: datetime,
        days: tuple[date, date] | None,
    ) -> None:
        """Objects made after `young` are left alone; `days` None takes everything."""
        self._archive = archive
        self._zone = zone
        self._rows = rows
        self._now = now
        self._young = young
        self._days = days
        self.counts = Counts()

    @property
    def columns(self) -> Sequence[Column]:
        """Return the columns of the rows."""
        return self._rows.columns

    async def _lists(self) -> AsyncIterator[list[Readable]]:
        if self._days is None:
            async for some in self._archive.everything(self._now):
                yield some
        else:
            for prefix in prefixes(*self._days):
                yield await self._archive.objects(prefix)

    async def pieces(self) -> AsyncIterator[Piece]:
        """Yield the rows, object after object."""
        async for listed in self._lists():
            old = [each for each in listed if not each.younger_than(self._young)]
            self.counts.young_objects += len(listed) - len(old)
            self.counts.young_lines += sum(each.lines for each in listed if each.younger_than(self._young))
            async for readable, text in self._archive.texts(old):
                self.counts.objects += 1
                uri = self._zone.uri(readable.name)
                try:
                    for made in self._rows.of(_counted(text, self.counts), uri, self._now):
                        self.counts.invalid += made.invalid
                        self.counts.refused += made.refused
                        yield Piece(made.lines, made.days)
                except (ValueError, KeyError, TypeError) as error:
                    raise InvalidDataError(f"{uri} can't be read: {error}") from error


class QuarantineFeed:
    """Quarantined records of all entities, of some days or all that there are."""

    columns: Sequence[Column] = QUARANTINE.columns

    def __init__(
        self,
        archive: Archive,
        zone: RawZone,
        bucket: Bucket,
        *,
        shop: str,
        young: datetime,
        days: tuple[date, date] | None,
    ) -> None:
        """`shop` is the source of messages that do not tell theirs."""
        self._archive = archive
        self._zone = zone
        self._bucket = bucket
        self._shop = shop
        self._young = young
        self._days = days
        self.counts = Counts()

    async def _lists(self) -> AsyncIterator[list[Stored]]:
        for entity in ENTITIES:
            if self._days is None:
                yield await self._bucket.objects(f"quarantine/{entity}/")
                continue
            for day in days_between(*self._days):
                yield await self._bucket.objects(day_prefix(entity, day))

    async def pieces(self) -> AsyncIterator[Piece]:
        """Yield the rows, object after object."""
        async for listed in self._lists():
            old = {each.name: each for each in listed if each.created <= self._young}
            self.counts.young_objects += len(listed) - len(old)
            self.counts.young_lines += sum(each.lines for each in listed if each.name not in old)
            objects = [Readable(each.name, each.size, each.created) for each in old.values()]
            async for readable, text in self._archive.texts(objects):
                self.counts.objects += 1
                uri = self._zone.uri(readable.name)
                try:
                    rows = [
                        quarantine_row(line, readable.name, uri, old[readable.name].created, self._shop)
                        for line in _counted(text, self.counts)
                    ]
                    days = {row_day(row) for row in rows}
                except (ValueError, KeyError, TypeError) as error:
                    raise InvalidDataError(f"{uri} can't be read: {error}") from error
                yield Piece([row_line(row) for row in rows], days)


def _counted(text: bytes, counts: Counts) -> Iterator[Line]:
    for line in read_lines(text):
        counts.lines += 1
        yield line
