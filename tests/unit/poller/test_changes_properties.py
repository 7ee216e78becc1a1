"""Whatever the source shows, poll after poll, the events tell it exactly once."""

import json
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from carts_poller.event import Event

from .carts import EMPTY, Memory, cart, poll, replay, tell

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
LINES = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3)), max_size=3)
CARTS = st.builds(lambda lines, note: cart(0, *lines, note=note), LINES, VALUES)
ANSWERS = st.dictionaries(st.integers(1, 4), CARTS, max_size=4)


def numbered(answer: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**one, "id": number} for number, one in answer.items()]


def run(answers: list[dict[int, dict[str, Any]]]) -> tuple[list[Event], Memory]:
    state, events = EMPTY, list[Event]()
    for answer in answers:
        change = poll(state, *numbered(answer))
        assert change.invalid == ()
        events += change.events
        state = change.state
    return events, state


@given(st.lists(ANSWERS, min_size=1, max_size=6))
def test_replaying_all_events_from_nothing_gives_the_carts_of_the_last_answer(
    answers: list[dict[int, dict[str, Any]]],
) -> None:
    events, _ = run(answers)

    shown = {number: {**one, "id": number} for number, one in answers[-1].items()}
    told = replay(events)
    assert told.keys() == shown.keys()
    for number, one in shown.items():
        assert reordered(told[number]) == reordered(one)


@given(st.lists(ANSWERS, min_size=1, max_size=6))
def test_ids_never_collide_and_are_the_same_when_it_all_happens_again(answers: list[dict[int, dict[str, Any]]]) -> None:
    events, _ = run(answers)
    again, _ = run(answers)

    assert len({event.event_id for event in events}) == len(events)
    assert [event.data for event in again] == [event.data for event in events]


@given(ANSWERS, st.randoms(use_true_random=False))
def test_a_cart_written_another_way_makes_no_event(answer: dict[int, dict[str, Any]], chance: random.Random) -> None:
    _, state = run([answer])

    texts = [rewritten(one, chance) for one in numbered(answer)]
    chance.shuffle(texts)

    assert tell(state, *texts).events == ()


@given(ANSWERS, ANSWERS, st.data())
def test_duplicates_in_one_answer_make_at_most_one_event_a_cart(
    first: dict[int, dict[str, Any]], second: dict[int, dict[str, Any]], data: st.DataObject
) -> None:
    both = data.draw(st.permutations(numbered(first) + numbered(second)))

    change = poll(EMPTY, *both)

    assert len(change.events) == len(first.keys() | second.keys())
    last = {one["id"]: one for one in both}
    assert {number: json.dumps(told) for number, told in replay(change.events).items()} == {
        number: json.dumps(shown) for number, shown in last.items()
    }


def reordered(one: dict[str, Any]) -> dict[str, Any]:
    """Return a cart in which the order of lines says nothing."""
    return {**one, "products": sorted(one["products"], key=json.dumps)}


def rewritten(one: dict[str, Any], chance: random.Random) -> str:
    """Return a cart's JSON with keys and lines in another order, and its unknown whole numbers as fractions."""

    def other(value: Any) -> Any:
        if isinstance(value, dict):
            items = [(key, other(item)) for key, item in value.items()]
            chance.shuffle(items)
            return dict(items)
        if isinstance(value, list):
            return [other(item) for item in value]
        if type(value) is int and abs(value) < 2**53 and chance.random() < 0.5:
            return float(value)
        return value

    changed = other(one)
    chance.shuffle(changed["products"])
    return json.dumps(changed, indent=chance.choice([None, 2]), ensure_ascii=chance.random() < 0.5)
