"""What pushed messages say, and which of them were here before."""

import json

import pytest

from carts_poller import state
from carts_poller.pushed import Pushed, attributes, data
from carts_poller.pushes import gathered
from carts_poller.state import REQUEST_MICROSECONDS, Requests

from .carts import cart

NOW = 1_764_000_000_000_000


def message(
    number: int, *, request: str | None = None, deleted: bool = False, **more: object
) -> tuple[bytes, dict[str, str]]:
    text = None if deleted else json.dumps(cart(number, **more))
    pushed = Pushed("fakestore", number, text, NOW, request)
    return data(pushed), attributes(pushed)


def known(*requests: str) -> Requests:
    made = Requests()
    for request in requests:
        made.add(request, NOW)
    return made


def test_carts_and_deletions_become_sightings_in_their_order() -> None:
    batch = gathered([message(1), message(2, deleted=True)], "fakestore", known())

    assert [(seen.cart_id, seen.text is None, seen.seen_at) for seen in batch.sightings] == [
        (1, False, NOW),
        (2, True, NOW),
    ]
    assert (batch.invalid, batch.requests, batch.repeated) == ([], [], 0)


def test_a_record_that_was_taken_before_or_comes_twice_is_left_out() -> None:
    first, second = "a" * 16, "0" * 15 + "b"

    batch = gathered(
        [message(1, request=first), message(2, request=second), message(2, request=second)], "fakestore", known(first)
    )

    assert [seen.cart_id for seen in batch.sightings] == [2]
    assert (batch.requests, batch.repeated) == ([(second, NOW)], 2)


def test_what_is_no_pushed_cart_of_this_source_is_invalid_and_quotes_nothing() -> None:
    text, about = message(1)
    bad = [
        (b"junk", {}),
        (b"{secret", about),
        (text, {**about, "source": "othershop"}),
        (text, {**about, "cart_id": "2"}),
        (b"[" * 3000, about),
    ]

    batch = gathered([*bad, message(3)], "fakestore", known())

    assert [seen.cart_id for seen in batch.sightings] == [3]
    assert len(batch.invalid) == len(bad)
    assert all("secret" not in item.detail for item in batch.invalid)


def test_a_request_is_forgotten_after_its_time() -> None:
    requests = known("a" * 16)

    requests.add("b" * 16, NOW + REQUEST_MICROSECONDS)

    assert "a" * 16 not in requests
    assert requests.items() == [("b" * 16, NOW + REQUEST_MICROSECONDS)]


def test_no_more_requests_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "_MAX_REQUESTS", 2)

    assert [request for request, _ in known(*[f"{number:016x}" for number in range(5)]).items()] == [
        f"{number:016x}" for number in (3, 4)
    ]
