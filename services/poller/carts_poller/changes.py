"""The heart of the poller: from what is known of the carts and what is seen of them to the events. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, Protocol

from pydantic import ValidationError

from carts_poller.event import MAX_EVENT_BYTES, Event, make
from carts_poller.table import ABSENT, Known
from dataplatform.models import EventType
from dataplatform.refusal import refusal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Reason = Literal[
    "not_an_object", "no_id", "too_deep", "too_large", "missing_field", "wrong_type", "wrong_value", "out_of_range"
]


@dataclass(frozen=True, slots=True)
class Invalid:
    """A record that can't become an event: `reason` is a short code, `detail` a sentence that quotes no value."""

    text: str
    reason: Reason
    detail: str


class Sighting(NamedTuple):
    """Somebody saw a cart in some state, whether by polling or by being told.

    `digest` is that of its canonical form and `text` its JSON as received; both are `ABSENT` and None when it is gone.
    `seen_at` is a time at which this was so, in microseconds since 1970.
    """

    cart_id: int
    digest: int
    text: str | None
    seen_at: int


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one cart: the event that tells it, and what is known of the cart from then on."""

    event: Event
    known: Known


@dataclass(frozen=True, slots=True)
class Outcome:
    """What sightings lead to: changes in their order, what can't be an event, and how many came too late to count."""

    changes: tuple[Change, ...]
    invalid: tuple[Invalid, ...]
    stale: int


class History(Protocol):
    """What is known before: see `carts_poller.table.Carts`."""

    def get(self, number: int) -> Known | None:
        """Return what is known of a cart."""
        ...


def changes(carts: History, sightings: Iterable[Sighting], *, source: str, epoch: int) -> Outcome:
    """Return the changes that lead from what is known to what was seen. Nothing is altered.

    A cart that is as it was known makes no change. One that was known to be different later than it was seen like
    this makes none either: the history of a cart only goes forward, so that polls and pushes may arrive in any order.
    A cart that breaks the contract makes none: its last valid state stays. Versions go on through deletions, so that
    an id is never used twice in one epoch.
    """
    latest: dict[int, Known] = {}
    found: list[Change] = []
    invalid: list[Invalid] = []
    stale = 0
    for number, digest, text, seen_at in sightings:
        known = latest.get(number) or carts.get(number)
        if digest == (known.digest if known else ABSENT):
            continue
        if known is not None and seen_at < known.seen_at:
            stale += 1
            continue
        kind: EventType = "cart_deleted"
        if text is not None:
            kind = "cart_updated" if known is not None and known.digest != ABSENT else "cart_created"
        version = known.version + 1 if known is not None else 1
        event = _event(kind, number, version, text, seen_at, source=source, epoch=epoch)
        if isinstance(event, Invalid):
            invalid.append(event)
            continue
        latest[number] = Known(version, digest, seen_at)
        found.append(Change(event, latest[number]))
    return Outcome(tuple(found), tuple(invalid), stale)


def apart(sightings: Iterable[Sighting]) -> list[list[Sighting]]:
    """Return the sightings in groups that hold each cart once, and those of one cart in their order.

    Requests to publish overtake each other, so the events of one cart must not be under way at once.
    """
    groups: list[list[Sighting]] = []
    times: dict[int, int] = {}
    for sighting in sightings:
        number = times[sighting.cart_id] = times.get(sighting.cart_id, -1) + 1
        if number == len(groups):
            groups.append([])
        groups[number].append(sighting)
    return groups


def microseconds(moment: datetime) -> int:
    """Return a moment as microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _event(
    kind: EventType, number: int, version: int, text: str | None, seen_at: int, **names: str | int
) -> Event | Invalid:
    moment = _EPOCH + timedelta(microseconds=seen_at)
    try:
        event = make(
            kind,
            source=str(names["source"]),
            epoch=int(names["epoch"]),
            cart_id=number,
            version=version,
            observed_at=moment,
            cart=text,
        )
    except ValidationError as error:
        return _invalid(text or "", error)
    if len(event.data) > MAX_EVENT_BYTES:
        return Invalid(text or "", "too_large", f"the event would have {len(event.data)} bytes")
    return event


def _invalid(text: str, error: ValidationError) -> Invalid:
    found = refusal(error)
    # The text was parsed before: what is no JSON now is a number that the parser takes and the contract does not.
    return Invalid(text, "wrong_value" if found.fault == "not_json" else found.fault, found.detail)
