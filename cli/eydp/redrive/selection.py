"""Which quarantine entries a command is about. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

Wanted = Literal["open", "redriven", "discarded", "all"]

#: Entries that can be published again: events came through Pub/Sub, products and users did not.
PUBLISHED_ENTITY = "carts_events"

_AGE = re.compile(r"([0-9]{1,6})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Selection:
    """Entries by id, or by what they have in common; times are those of the latest time in quarantine.

    `since` is inclusive, `before` exclusive. Of `state`, `open` includes those whose redrive is in doubt.
    """

    ids: tuple[str, ...] = ()
    entity: str | None = None
    reason: str | None = None
    since: datetime | None = None
    before: datetime | None = None
    state: Wanted = "open"

    @property
    def narrow(self) -> bool:
        """Return whether anything but the state was asked for."""
        return bool(self.ids or self.entity or self.reason or self.since or self.before)


def moment(text: str, now: datetime) -> datetime:
    """Return the time that a person means: an age such as `90m`, `24h`, `7d`, a day, or an ISO time (UTC if bare).

    Raises:
        ValueError: with a sentence that says what is taken.
    """
    if age := _AGE.fullmatch(text):
        return now - timedelta(**{_UNITS[age[2]]: int(age[1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time: give an age such as 90m, 24h or 7d, or 2026-11-24T06:00") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def whole_day(text: str) -> tuple[datetime, datetime]:
    """Return a day's first moment and the next day's, in UTC.

    Raises:
        ValueError: with a sentence that says what is taken.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no day: give it as 2026-11-24") from None
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return start, start + timedelta(days=1)
