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
    `invalid` are the records that can't become events. `held` counts carts that are not in the answer and are not
    taken as deleted, because the answer holds records that may be these very carts.
    """

    events: tuple[Event, ...]
    state: State
    invalid: tuple[Invalid, ...]
    held: int


def changes(previous: State, seen: Observation, now: datetime) -> Change:
    """Return the events that lead from `previous` to what is `seen` at `now`, and the next state.

    A cart whose digest is the known one makes no event. An invalid cart makes none either, and is not deleted: its
    last valid state stays. Versions go on through deletions, so that an id is never used twice in one epoch.
    """
    carts = dict(previous.carts)
    events: list[Event] = []
    invalid = [*seen.nameless, *seen.damaged.values()]
    held = 0

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
    gone = sorted(
        number
        for number, known in previous.carts.items()
        if known.digest != DELETED and number not in seen.carts and number not in seen.damaged
    )
    if seen.nameless:
        held = len(gone)
    else:
        for number in gone:
            happen("cart_deleted", number, DELETED, None)
    state = State(previous.source, previous.epoch, MappingProxyType(carts), (*previous.pending, *events))
    return Change(tuple(events), state, tuple(invalid), held)


def _invalid(text: str, error: ValidationError) -> Invalid:
    found = refusal(error)
    match found.fault:
        case "out_of_range" | "not_json":  # not told apart here
            return Invalid(text, "wrong_value", found.detail)
        case fault:
            return Invalid(text, fault, found.detail)
