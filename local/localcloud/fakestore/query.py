"""The query string of the real service: limit, sort, startdate, enddate."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

type Keep = Callable[[bytes], bool]

_DATE = re.compile(rb'"date":"([^"]*)"')


class BadQueryError(Exception):
    """The request can't be answered; the message is for its sender."""


@dataclass(frozen=True, slots=True)
class Dates:
    """A range of time, start inclusive, end exclusive; `asked` when the request named one of them."""

    start: datetime
    end: datetime
    asked: bool

    def keeps(self, record: bytes) -> bool:
        """Tell whether the record's date is in the range. One without a readable date is kept, for tests."""
        found = _DATE.search(record)
        if found is None:
            return True
        try:
            date = _utc(found[1].decode())
        except ValueError:
            return True
        return self.start <= date < self.end


def limit(query: Mapping[str, str]) -> int | None:
    """Return the most records to answer; None (all) when 0, missing or not a number. Its sign is ignored."""
    try:
        number = float(query.get("limit", ""))
    except ValueError:
        return None
    return abs(int(number)) or None if math.isfinite(number) else None


def descending(query: Mapping[str, str]) -> bool:
    """Tell whether to sort by falling id: only for the exact word `desc`."""
    return query.get("sort") == "desc"


def dates(query: Mapping[str, str], now: datetime) -> Dates:
    """Return the range asked for; from 1970 to now by default.

    Raises:
        BadQueryError: A date is not ISO 8601.
    """
    start, end = query.get("startdate"), query.get("enddate")
    return Dates(
        start=_asked("startdate", start) if start else datetime(1970, 1, 1, tzinfo=UTC),
        end=_asked("enddate", end) if end else now,
        asked=bool(start or end),
    )


def selected(blocks: Iterable[list[bytes]], keep: Keep | None, most: int | None) -> Iterator[list[bytes]]:
    """Yield the blocks with the records that `keep` lets through, `most` of them at the most.

    A block in which none is left is yielded empty, so that a long search can give way to others.
    """
    left = most
    for block in blocks:
        kept = block if keep is None else [record for record in block if keep(record)]
        if left is not None:
            kept = kept[:left]
            left -= len(kept)
        yield kept
        if left == 0:
            return


def _asked(name: str, text: str) -> datetime:
    try:
        return _utc(text)
    except ValueError as error:
        raise BadQueryError(f"{name} should be a date") from error


def _utc(text: str) -> datetime:
    """Parse ISO 8601; a time without a zone is UTC."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
