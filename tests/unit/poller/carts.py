"""Carts, answers and states for the poller's tests."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from carts_poller.changes import Change, changes
from carts_poller.event import Event
from carts_poller.observation import Observation, observe
from carts_poller.state import State
from dataplatform.source import RawRecord

NOW = datetime(2026, 11, 24, 6, 6, 48, 123456, tzinfo=UTC)
EMPTY = State("fakestore", 1_764_000_000_000)


def cart(number: int, *lines: tuple[int, int], **more: Any) -> dict[str, Any]:
    products = [{"productId": product, "quantity": quantity} for product, quantity in lines]
    return {"id": number, "userId": 1, "date": "2020-03-02T00:00:00.000Z", "products": products, **more}


def seen(*texts: str) -> Observation:
    return observe([RawRecord(json.loads(text), text) for text in texts])


def answer(carts: Iterable[Mapping[str, Any]]) -> Observation:
    return seen(*[json.dumps(one) for one in carts])


def poll(state: State, *carts: Mapping[str, Any]) -> Change:
    """Return the change of one poll after the events of the last one were confirmed."""
    return changes(state.confirmed(), answer(carts), NOW)


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
