"""The poller's files survive being written and read, and anything else is refused."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carts_poller.journal import (
    Head,
    add_shard,
    decode_head,
    decode_segment,
    encode_head,
    encode_segment,
    encode_shards,
)
from carts_poller.state import State
from carts_poller.table import Known

from .carts import EMPTY, cart, poll

NUMBERS = st.integers(0, 2**63 - 1)
HEADS = st.builds(
    Head,
    st.text(max_size=5),
    NUMBERS,
    st.text(max_size=5),
    NUMBERS,
    NUMBERS,
    st.lists(st.text(max_size=5), max_size=3).map(tuple),
    NUMBERS,
)
REQUESTS = [("0123456789abcdef", 5)]


def state(sequence: int = 0) -> State:
    return State(EMPTY.source, EMPTY.epoch, sequence)


def segment(sequence: int = 1, **names: object) -> bytes:
    changes = poll(EMPTY, cart(2, note="ü"), cart(1)).changes
    of = State(str(names.get("source", EMPTY.source)), int(str(names.get("epoch", EMPTY.epoch))))
    return encode_segment(of, sequence, "me", changes, REQUESTS)


@given(HEADS)
def test_a_head_is_read_back_as_it_was_written(head: Head) -> None:
    assert decode_head(encode_head(head), head.source) == head


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        encode_head(Head("fakestore", 1))[:-1],
        encode_head(Head("othershop", 1)),
        json.dumps({**json.loads(encode_head(Head("fakestore", 1))), "format": 1}).encode(),
        json.dumps({**json.loads(encode_head(Head("fakestore", 1))), "epoch": "1"}).encode(),
        json.dumps({**json.loads(encode_head(Head("fakestore", 1))), "more": 1}).encode(),
    ],
)
def test_anything_else_is_no_head(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_head(data, "fakestore")


def test_a_segment_keeps_the_exact_bytes_of_its_events_and_their_order() -> None:
    changes = poll(EMPTY, cart(2, note="ü"), cart(1)).changes

    assert decode_segment(segment(), state(), 1) == (list(changes), REQUESTS)


def test_a_segment_may_hold_requests_alone() -> None:
    data = encode_segment(state(), 1, "me", [], REQUESTS)

    assert decode_segment(data, state(), 1) == ([], REQUESTS)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        segment()[:-9],
        gzip.compress(b"", mtime=0),
        gzip.compress(b"null", mtime=0),
        segment(sequence=2),
        segment(source="othershop"),
        segment(epoch=1),
        gzip.compress(gzip.decompress(segment()) + b"\nmore", mtime=0),
        gzip.compress(gzip.decompress(segment()).replace(b'"cart_id":1', b'"cart_id":"1"'), mtime=0),
        gzip.compress(gzip.decompress(segment()).replace(b'"format":2', b'"format":3'), mtime=0),
    ],
    ids=range(10),
)
def test_anything_else_is_no_segment(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_segment(data, state(), 1)


def test_a_base_holds_all_carts_and_requests() -> None:
    before = state(7)
    for number in range(5):
        before.carts.put(number, Known(number + 1, number, number))
    before.requests.add(*REQUESTS[0])
    after = state(7)

    for data in encode_shards(before):
        add_shard(data, after)

    assert dict(after.carts.items()) == dict(before.carts.items())
    assert after.requests.items() == REQUESTS


def test_a_base_of_no_cart_still_keeps_the_requests() -> None:
    before, after = state(7), state(7)
    before.requests.add(*REQUESTS[0])

    (data,) = encode_shards(before)
    add_shard(data, after)

    assert after.requests.items() == REQUESTS


@pytest.mark.parametrize(
    ("data", "sequence"),
    [(encode_shards(state(7))[0], 8), (encode_shards(state(7))[0][:-3], 7), (segment(), 7), (b"", 7)],
    ids=["of another number", "cut off", "a segment", "nothing"],
)
def test_anything_else_is_no_shard(data: bytes, sequence: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        add_shard(data, state(sequence))
