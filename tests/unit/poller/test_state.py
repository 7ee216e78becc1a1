"""The state survives being written and read, and anything else is refused."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carts_poller.state import DELETED, Known, State, decode, encode

from .carts import EMPTY, cart, poll

NUMBERS = st.integers(0, 2**63 - 1)
KNOWN = st.builds(
    Known, st.integers(1, 2**63 - 1), st.just(DELETED) | st.text("0123456789abcdef", min_size=16, max_size=16)
)
STATES = st.builds(State, st.text(max_size=5), NUMBERS, st.dictionaries(NUMBERS, KNOWN, max_size=5))


@given(STATES)
def test_a_state_is_read_back_as_it_was_written(state: State) -> None:
    assert decode(encode(state)) == state


def test_pending_events_keep_their_exact_bytes_and_their_order() -> None:
    state = poll(EMPTY, cart(2, note="ü"), cart(1)).state

    assert decode(encode(state)).pending == state.pending


def test_a_deleted_cart_keeps_its_version() -> None:
    created = poll(EMPTY, cart(1))

    assert decode(encode(poll(created.state).state)).carts[1] == Known(2, DELETED)


def test_the_same_state_has_the_same_bytes() -> None:
    assert encode(poll(EMPTY, cart(1)).state) == encode(poll(EMPTY, cart(1)).state)


FILE = {"format": 1, "source": "fakestore", "epoch": 1, "carts": {"1": [1, "0" * 16]}, "pending": []}


def test_the_file_that_the_refused_ones_are_made_of_is_accepted() -> None:
    assert decode(gzip.compress(json.dumps(FILE).encode())).carts == {1: Known(1, "0" * 16)}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        encode(EMPTY)[:-9],
        gzip.compress(b""),
        gzip.compress(b"null"),
        gzip.compress(json.dumps({**FILE, "format": 2}).encode()),
        gzip.compress(json.dumps({**FILE, "epoch": "1"}).encode()),
        gzip.compress(json.dumps({**FILE, "carts": {"1": [0, "0" * 16]}}).encode()),
        gzip.compress(json.dumps({**FILE, "carts": {"1": [1, "xyz"]}}).encode()),
        gzip.compress(json.dumps({**FILE, "pending": ["{}"]}).encode()),
        gzip.compress(json.dumps({**FILE, "more": 1}).encode()),
        gzip.compress(
            json.dumps({**FILE, "source": "o", "pending": [poll(EMPTY, cart(1)).events[0].data.decode()]}).encode()
        ),
    ],
    ids=range(12),  # the bytes hold the time of compression, and every process must give a case the same name
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(data)
