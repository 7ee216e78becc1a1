"""Publish requests stay within their bounds and lose nothing."""

from hypothesis import given
from hypothesis import strategies as st

from carts_poller.event import Event
from carts_poller.publish import batches

EVENTS = st.lists(st.integers(0, 3000), max_size=30).map(
    lambda sizes: [Event(str(i), "cart_created", "s", i, 1, b"x" * size) for i, size in enumerate(sizes)]
)


@given(EVENTS, st.integers(1, 10), st.integers(1, 10_000))
def test_every_event_is_in_one_batch_in_order(events: list[Event], messages: int, size: int) -> None:
    made = list(batches(events, max_messages=messages, max_bytes=size))

    assert [event for batch in made for event in batch] == events


@given(EVENTS, st.integers(1, 10), st.integers(1, 10_000))
def test_a_batch_keeps_both_bounds_unless_one_event_alone_is_larger(
    events: list[Event], messages: int, size: int
) -> None:
    for batch in batches(events, max_messages=messages, max_bytes=size):
        assert 1 <= len(batch) <= messages
        assert len(batch) == 1 or sum(len(event.data) for event in batch) <= size
