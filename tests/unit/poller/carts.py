"""Carts, answers and what is remembered of them, for the poller's tests."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from carts_poller.answer import Answer
from carts_poller.changes import Change, Invalid, changes, microseconds
from carts_poller.event import Event
from carts_poller.table import Carts, Known
from dataplatform.source import RawRecord

NOW = datetime(2026, 11, 24, 6, 6, 48, 123456, tzinfo=UTC)


@dataclass(frozen=True)
class Memory:
    """What is known between two polls; compared by value."""

    source: str = "fakestore"
    epoch: int = 1_764_000_000_000
    carts: Mapping[int, Known] = field(default_factory=dict)

    def table(self) -> Carts:
        table = Carts()
        for number, known in self.carts.items():
            table.put(number, known)
        return table


EMPTY = Memory()


@dataclass(frozen=True)
class Told:
    """What one answer led to."""

    changes: tuple[Change, ...]
    state: Memory
    invalid: tuple[Invalid, ...]
    answer: Answer

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(change.event for change in self.changes)


def cart(number: int, *lines: tuple[int, int], **more: Any) -> dict[str, Any]:
    products = [{"productId": product, "quantity": quantity} for product, quantity in lines]
    return {"id": number, "userId": 1, "date": "2020-03-02T00:00:00.000Z", "products": products, **more}


def records(*texts: str) -> list[RawRecord]:
    return [RawRecord(json.loads(text), text) for text in texts]


def tell(before: Memory, *texts: str, now: datetime = NOW) -> Told:
    """Return what one whole answer leads to, taken as the poller takes it, a record at a time."""
    carts = before.table()
    answer = Answer(carts, microseconds(now))
    for record in records(*texts):
        answer.take([record])
    found: list[Change] = []
    invalid = [*answer.nameless, *answer.damaged]
    missing = [] if answer.nameless else answer.missing()
    for sightings in [*answer.sightings(), *answer.gone(missing)]:
        outcome = changes(carts, sightings, source=before.source, epoch=before.epoch)
        for change in outcome.changes:
            carts.put(change.event.cart_id, change.known)
        found += outcome.changes
        invalid += outcome.invalid
    after = Memory(before.source, before.epoch, dict(carts.items()))
    return Told(tuple(found), after, tuple(invalid), answer)


def poll(before: Memory, *carts: Mapping[str, Any], now: datetime = NOW) -> Told:
    return tell(before, *[json.dumps(one) for one in carts], now=now)


def kinds(events: Iterable[Event]) -> list[tuple[str, int]]:
    return [(event.event_type, event.cart_id) for event in events]


def bodies(events: Iterable[Event]) -> list[dict[str, Any]]:
    return [json.loads(event.data) for event in events]


def replay(events: Iterable[Event]) -> dict[int, Any]:
    """Return the carts that all events together lead to, from nothing."""
    carts: dict[int, Any] = {}
    for body in bodies(events):
        if body["cart"] is None:
            del carts[body["cart_id"]]
        else:
            carts[body["cart_id"]] = body["cart"]
    return carts
