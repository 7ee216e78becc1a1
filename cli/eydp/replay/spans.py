"""Which day partitions a statement is about, as conditions that BigQuery prunes by. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Spans:
    """Runs of days: first moment, inclusive, and last, exclusive.

    One statement may change 4,000 partitions. Events are taken from nine years back to 300 days ahead
    (`dataplatform.models`), which is fewer, so no set of days needs more than one.
    """

    ranges: tuple[tuple[datetime, datetime], ...]

    @classmethod
    def of(cls, days: Iterable[date], *, around: int = 0) -> "Spans":
        """Return the runs of some days, each with so many days `around` it."""
        wider = sorted({day + n * _DAY for day in days for n in range(-around, around + 1)})
        ranges: list[tuple[date, date]] = []
        for day in wider:
            if ranges and ranges[-1][1] == day:
                ranges[-1] = (ranges[-1][0], day + _DAY)
            else:
                ranges.append((day, day + _DAY))
        return cls(tuple((_midnight(first), _midnight(end)) for first, end in ranges))

    def condition(self, column: str) -> str:
        """Return SQL that holds for the days, with the parameters that `parameters` gives."""
        parts = [f"{column} >= @from{i} AND {column} < @until{i}" for i in range(len(self.ranges))]
        return "(" + (" OR ".join(parts) or "FALSE") + ")"

    def parameters(self) -> list[Any]:
        """Return the query parameters of the condition."""
        from google.cloud.bigquery import ScalarQueryParameter

        return [
            ScalarQueryParameter(f"{name}{i}", "TIMESTAMP", moment)
            for i, pair in enumerate(self.ranges)
            for name, moment in zip(("from", "until"), pair, strict=True)
        ]


def days_between(first: date, last: date) -> Sequence[date]:
    """Return the days from the first to the last, both included."""
    return [first + n * _DAY for n in range((last - first).days + 1)]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
