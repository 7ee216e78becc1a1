"""What makes an event, which one, and what never does."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from carts_poller.changes import Sighting, apart, changes, microseconds
from carts_poller.event import MAX_EVENT_BYTES
from dataplatform.models import event_id

from .carts import EMPTY, NOW, bodies, cart, kinds, poll, tell


def test_the_first_poll_creates_every_cart_with_version_one_in_the_order_of_the_answer() -> None:
    first = poll(EMPTY, cart(2, (1, 1)), cart(1, (1, 1)))

    assert kinds(first.events) == [("cart_created", 2), ("cart_created", 1)]
    assert [body["version"] for body in bodies(first.events)] == [1, 1]


def test_an_event_has_the_fields_of_the_contract_and_the_cart_as_received() -> None:
    text = '{"id" : 5,"userId":3,"date":"2020-03-01T00:00:00.000Z","products":[],"__v":0,"weight":1.50}'

    (event,) = tell(EMPTY, text).events

    assert (
        event.data
        == (
            f'{{"event_id":"{event_id("fakestore", EMPTY.epoch, 5, 1)}","event_type":"cart_created","schema_version":1,'
            f'"source":"fakestore","epoch":{EMPTY.epoch},"cart_id":5,"version":1,'
            f'"observed_at":"2026-11-24T06:06:48.123456Z","cart":{text}}}'
        ).encode()
    )
    assert event.attributes == {
        "event_id": event_id("fakestore", EMPTY.epoch, 5, 1),
        "event_type": "cart_created",
        "schema_version": "1",
        "source": "fakestore",
    }


def test_a_pretty_printed_cart_makes_an_event_of_one_line_with_the_same_tokens() -> None:
    text = json.dumps(cart(1, (1, 1), note="a\nb", weight=1.5), indent=2).replace("\n", "\r\n").replace("1.5", "1.50")

    (event,) = tell(EMPTY, text).events

    assert b"\n" not in event.data
    assert b"\r" not in event.data
    assert b"1.50" in event.data
    assert json.loads(event.data)["cart"] == json.loads(text)


def test_the_same_answer_again_makes_no_event() -> None:
    first = poll(EMPTY, cart(1, (1, 1)), cart(2))

    second = poll(first.state, cart(1, (1, 1)), cart(2))

    assert second.events == ()
    assert second.state == first.state


def test_a_changed_a_deleted_and_a_new_cart_make_exactly_these_events_deletions_last() -> None:
    first = poll(EMPTY, cart(1, (1, 1)), cart(2), cart(3))

    second = poll(first.state, cart(4), cart(1, (1, 2)), cart(3))

    assert kinds(second.events) == [("cart_created", 4), ("cart_updated", 1), ("cart_deleted", 2)]
    assert [body["version"] for body in bodies(second.events)] == [1, 2, 2]
    assert bodies(second.events)[2]["cart"] is None


def test_a_cart_that_goes_there_and_back_makes_three_events_with_three_ids() -> None:
    there = poll(EMPTY, cart(1, (1, 1)))
    away = poll(there.state, cart(1, (1, 2)))
    back = poll(away.state, cart(1, (1, 1)))

    events = there.events + away.events + back.events

    assert len({event.event_id for event in events}) == 3
    assert [body["version"] for body in bodies(events)] == [1, 2, 3]


def test_a_cart_that_comes_back_after_its_deletion_goes_on_with_its_versions() -> None:
    created = poll(EMPTY, cart(1))
    deleted = poll(created.state)
    again = poll(deleted.state, cart(1))

    assert kinds(again.events) == [("cart_created", 1)]
    assert bodies(again.events)[0]["version"] == 3
    assert poll(deleted.state).events == ()


@pytest.mark.parametrize(
    "text",
    [
        '{"products":[{"productId":1,"quantity":4},{"productId":2,"quantity":1}],"id":1,"userId":1,"d":[1,2],"n":10}',
        '{"id":1,"userId":1,"d":[1,2],"n":10,"products":[{"quantity":1,"productId":2},{"productId":1,"quantity":4}]}',
        '{"id":1.0,"userId":1,"d":[1.0,2],"n":1e1,"products":[{"productId":1,"quantity":4.0},{"productId":2,"quantity":1}]}',
        '{"id":1,"userId":1,"d":[1,2],"n":10.00,\n"products":[{"productId":1,"quantity":4},{"productId":2,"quantity":1}]}',
    ],
    ids=["order of keys", "order of lines", "form of numbers", "white space"],
)
def test_another_way_of_writing_a_cart_is_no_change(text: str) -> None:
    date = '{"date":"2020-03-02T00:00:00.000Z",'
    plain = cart(1, (1, 4), (2, 1), d=[1, 2], n=10)

    first = poll(EMPTY, plain)
    second = tell(first.state, text.replace("{", date, 1))

    assert second.events == ()
    assert second.invalid == ()


@pytest.mark.parametrize(
    "other",
    [
        cart(1, (1, 4), d=[2, 1]),
        cart(1, (1, 4), (1, 4), d=[1, 2]),
        cart(1, (1, 4), d=[1, 2], n=None),
        cart(1, (1, 4), d=[1, "2"]),
        cart(1, (1, 4), d=[True, 2]),
        cart(1, (1, 4), d=[1.5, 2]),
    ],
    ids=["order of another list", "a line twice", "a null field", "text for a number", "true for one", "a fraction"],
)
def test_another_meaning_is_a_change(other: dict[str, object]) -> None:
    first = poll(EMPTY, cart(1, (1, 4), d=[1, 2]))

    assert kinds(poll(first.state, other).events) == [("cart_updated", 1)]


def test_a_cart_that_comes_twice_in_one_answer_makes_one_event() -> None:
    change = poll(EMPTY, cart(6, (1, 1)), cart(6, (1, 1)))

    assert kinds(change.events) == [("cart_created", 6)]


def test_of_conflicting_duplicates_the_last_one_counts() -> None:
    change = poll(EMPTY, cart(6, (1, 1)), cart(1), cart(6, (1, 2)))

    assert (change.answer.repeated, change.answer.conflicting) == (0, 1)
    assert [body["cart"]["products"] for body in bodies(change.events) if body["cart_id"] == 6] == [
        [{"productId": 1, "quantity": 2}]
    ]


def test_duplicates_that_only_differ_in_writing_do_not_conflict() -> None:
    answer = tell(EMPTY, '{"id":1,"n":1}', '{"n":1.0,"id":1}', '{"id":1,"n":1}').answer

    assert (answer.repeated, answer.conflicting, answer.count) == (2, 0, 1)


def test_of_three_conflicting_duplicates_the_last_counts_even_when_it_is_what_was_known() -> None:
    first = poll(EMPTY, cart(1, (1, 1)))

    second = poll(first.state, cart(1, (1, 2)), cart(1, (1, 3)), cart(1, (1, 1)))

    assert second.events == ()
    assert second.answer.conflicting == 2


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({**cart(1), "userId": "nobody"}, "wrong_type"),
        ({**cart(1), "products": [{"productId": 1}]}, "missing_field"),
        ({**cart(1), "userId": 2**63}, "out_of_range"),
        ({**cart(1), "date": "today"}, "wrong_value"),
        (cart(1, note="x" * MAX_EVENT_BYTES), "too_large"),
    ],
)
def test_an_invalid_cart_makes_no_event_is_reported_and_is_not_deleted(bad: dict[str, object], reason: str) -> None:
    first = poll(EMPTY, cart(1, (1, 1)), cart(2))

    broken = poll(first.state, bad, cart(2, (1, 1)))
    mended = poll(broken.state, cart(1, (1, 1)), cart(2, (1, 1)))

    assert kinds(broken.events) == [("cart_updated", 2)]
    assert [item.reason for item in broken.invalid] == [reason]
    assert mended.events == ()


def test_the_reason_never_quotes_a_value_of_the_cart() -> None:
    change = poll(EMPTY, {**cart(1), "userId": "very private"})

    assert "private" not in change.invalid[0].detail
    assert "userId" in change.invalid[0].detail


def test_a_cart_nested_too_deeply_spoils_no_other_and_is_not_deleted() -> None:
    first = poll(EMPTY, cart(1))
    deep = json.dumps(cart(1)).replace("}", ',"x":' + "[" * 3000 + "]" * 3000 + "}", 1)

    change = tell(first.state, deep, json.dumps(cart(2)))

    assert kinds(change.events) == [("cart_created", 2)]
    assert [item.reason for item in change.invalid] == ["too_deep"]


@pytest.mark.parametrize("nameless", ["null", "[]", '"cart"', '{"id":null}', '{"id":"1"}', '{"id":true}', '{"id":1.5}'])
def test_while_a_record_without_an_id_is_there_no_cart_is_taken_as_deleted(nameless: str) -> None:
    first = poll(EMPTY, cart(1), cart(2))

    doubtful = tell(first.state, nameless, json.dumps(cart(3)))

    assert kinds(doubtful.events) == [("cart_created", 3)]
    assert len(doubtful.invalid) == 1
    assert kinds(poll(doubtful.state, cart(3)).events) == [("cart_deleted", 1), ("cart_deleted", 2)]


def test_two_epochs_never_share_an_id() -> None:
    old = poll(EMPTY, cart(1)).events
    new = poll(replace(EMPTY, epoch=EMPTY.epoch + 1), cart(1)).events

    assert old[0].event_id != new[0].event_id


def test_two_sources_never_share_an_id() -> None:
    one = poll(EMPTY, cart(1)).events
    other = poll(replace(EMPTY, source="othershop"), cart(1)).events

    assert one[0].event_id != other[0].event_id
    assert bodies(other)[0]["source"] == "othershop"


SEEN = microseconds(NOW)


def sighting(number: int, digest: int, at: int, text: str | None = "") -> Sighting:
    return Sighting(number, digest, json.dumps(cart(number)) if text == "" else text, at)


def test_what_was_seen_before_what_is_known_makes_no_change() -> None:
    known = poll(EMPTY, cart(1, (1, 1))).state.table()

    late = changes(known, [sighting(1, 7, SEEN - 1), sighting(1, 0, SEEN - 1, None)], source="fakestore", epoch=1)

    assert (late.changes, late.stale) == ((), 2)


def test_a_cart_that_was_pushed_after_an_answer_was_asked_for_is_not_taken_as_deleted_by_it() -> None:
    pushed = poll(EMPTY, cart(1), cart(2), now=NOW + timedelta(seconds=1))

    assert poll(pushed.state, cart(1), now=NOW).events == ()
    assert kinds(poll(pushed.state, cart(1), now=NOW + timedelta(seconds=2)).events) == [("cart_deleted", 2)]


def test_several_sightings_of_one_cart_at_once_make_an_event_each_in_their_order() -> None:
    told = changes(
        EMPTY.table(),
        [sighting(1, 7, SEEN), sighting(1, 8, SEEN + 1), sighting(1, 8, SEEN + 2), sighting(1, 0, SEEN + 3, None)],
        source="fakestore",
        epoch=1,
    )

    assert kinds(change.event for change in told.changes) == [
        ("cart_created", 1),
        ("cart_updated", 1),
        ("cart_deleted", 1),
    ]
    assert [change.known.version for change in told.changes] == [1, 2, 3]


def test_sightings_are_put_apart_so_that_no_group_holds_a_cart_twice() -> None:
    one, two, other = sighting(1, 7, SEEN), sighting(1, 8, SEEN), sighting(2, 9, SEEN)

    assert apart([one, two, other]) == [[one, other], [two]]
    assert apart([]) == []


def test_the_deletion_of_a_cart_that_nobody_knows_is_no_change() -> None:
    assert changes(EMPTY.table(), [sighting(1, 0, SEEN, None)], source="fakestore", epoch=1).changes == ()
