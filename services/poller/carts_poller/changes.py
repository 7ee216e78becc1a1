"""The heart of the poller: from what is known and what is seen now to the events and what is known next. Pure."""

from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from pydantic import ValidationError

from carts_poller.event import MAX_EVENT_BYTES, Event, make
from carts_poller.observation import Invalid, Observation
from carts_poller.state import DELETED, Known, State
from dataplatform.models import EventType
from dataplatform.refusal import refusal


@dataclass(frozen=True, slots=True)
class Change:
    """The outcome of one poll.

    `events` are in the order of the answer, deletions last by id. `state` is the next state, with the events pending.
    `invalid` are the records that can't become events. `spared` counts carts that are not in the answer and are not
    taken as deleted, because the answer is not to be trusted with them.
    """

    events: tuple[Event, ...]
    state: State
    invalid: tuple[Invalid, ...]
    spared: int


def missing(previous: State, seen: Observation) -> list[int]:
    """Return the ids of carts that were there and are not seen any more, in ascending order."""
    return sorted(
        number
        for number, known in previous.carts.items()
        if known.digest != DELETED and number not in seen.carts and number not in seen.damaged
    )


def changes(previous: State, seen: Observation, now: datetime, *, spare: bool = False) -> Change:
    """Return the events that lead from `previous` to what is `seen` at `now`, and the next state.

    A cart whose digest is the known one makes no event. An invalid cart makes none either, and is not deleted: its
    last valid state stays. Missing carts are deleted, unless the answer holds records without an id, which may be these
    very carts, or the caller wants to `spare` them. Versions go on through deletions, so that an id is never used
    twice in one epoch.
    """
    carts = dict(previous.carts)
    events: list[Event] = []
    invalid = [*seen.nameless, *seen.damaged.values()]

    def happen(kind: EventType, number: int, digest: str, text: str | None) -> Invalid | None:
        version = carts[number].version + 1 if number in carts else 1
        try:
            event = make(
                kind,
                source=previous.source,
                epoch=previous.epoch,
                cart_id=number,
                version=version,
                observed_at=now,
                cart=text,
            )
        except ValidationError as error:
            return _invalid(text or "", error)
        if len(event.data) > MAX_EVENT_BYTES:
            return Invalid(text or "", "too_large", f"the event would have {len(event.data)} bytes")
        events.append(event)
        carts[number] = Known(version, digest)
        return None

    for number, cart in seen.carts.items():
        known = previous.carts.get(number)
        if known is not None and known.digest == cart.digest:
            continue
        exists = known is not None and known.digest != DELETED
        fault = happen("cart_updated" if exists else "cart_created", number, cart.digest, cart.text)
        if fault:
            invalid.append(fault)
    gone = missing(previous, seen)
    spared = len(gone) if seen.nameless or spare else 0
    if not spared:
        for number in gone:
            happen("cart_deleted", number, DELETED, None)
    state = State(previous.source, previous.epoch, MappingProxyType(carts), (*previous.pending, *events))
    return Change(tuple(events), state, tuple(invalid), spared)


def _invalid(text: str, error: ValidationError) -> Invalid:
    found = refusal(error)
    # The text was parsed before: what is no JSON now is a number that the parser takes and the contract does not.
    return Invalid(text, "wrong_value" if found.fault == "not_json" else found.fault, found.detail)
