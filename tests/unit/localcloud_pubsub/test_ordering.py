"""Ordering keys in the delivery machine."""

from typing import Any

import pytest

from localcloud.pubsub.policy import Backoff


@pytest.fixture(name="work")
def _work(desk: Any) -> Any:
    return desk(ordered=True)


def test_a_key_comes_in_order_and_others_between(work: Any, payloads: Any) -> None:
    work.publish(b"a1", b"a2", key="a")
    work.publish(b"b1", key="b")
    work.publish(b"a3", key="a")
    received = payloads(work.take())
    assert [payload for payload in received if payload.startswith(b"a")] == [b"a1", b"a2", b"a3"]
    assert b"b1" in received


def test_a_key_stays_with_its_consumer_until_everything_is_settled(work: Any, payloads: Any, ids: Any) -> None:
    one, two = work.consumer(), work.consumer()
    work.publish(b"1", b"2", b"3", key="k")
    first = work.take(one, room=1)
    assert work.take(two) == []
    second = work.take(one, room=1)
    assert payloads(second) == [b"2"]
    work.backlog.acknowledge(ids(first))
    assert work.take(two) == []
    work.backlog.acknowledge(ids(second))
    assert payloads(work.take(two)) == [b"3"]


def test_a_nack_takes_the_later_messages_of_the_key_back(work: Any, payloads: Any, ids: Any) -> None:
    consumer = work.consumer()
    work.publish(b"1", b"2", b"3", key="k")
    received = work.take(consumer)
    work.backlog.extend(ids(received)[1:2], 0)
    assert work.backlog.counts().leased == 1
    assert work.backlog.acknowledge(ids(received)[2:]) == ids(received)[2:]
    work.backlog.acknowledge(ids(received)[:1])
    assert payloads(work.take(work.consumer())) == [b"2", b"3"]


def test_a_redelivery_brings_later_acknowledged_messages_again(work: Any, payloads: Any, ids: Any) -> None:
    work.publish(b"1", b"2", b"3", key="k")
    received = work.take()
    work.backlog.acknowledge(ids(received)[1:2])
    assert work.backlog.counts().leased == 2
    work.backlog.extend(ids(received)[:1], 0)
    assert payloads(work.take()) == [b"1", b"2", b"3"]


def test_exactly_once_brings_no_acknowledged_message_again(desk: Any, payloads: Any, ids: Any) -> None:
    work = desk(ordered=True, exactly_once=True)
    work.publish(b"1", b"2", b"3", key="k")
    received = work.take()
    work.backlog.acknowledge(ids(received)[1:2])
    work.backlog.extend(ids(received)[:1], 0)
    assert payloads(work.take()) == [b"1", b"3"]


def test_an_expired_lease_keeps_the_order(work: Any, payloads: Any) -> None:
    work.publish(b"1", b"2", key="k")
    work.take(work.consumer(lease=10))
    work.publish(b"3", key="k")
    work.wait(10)
    assert payloads(work.take()) == [b"1", b"2", b"3"]


def test_a_backoff_holds_the_whole_key(desk: Any, payloads: Any, ids: Any) -> None:
    work = desk(ordered=True, backoff=Backoff(5, 60))
    work.publish(b"1", b"2", key="k")
    work.backlog.extend(ids(work.take(room=1)), 0)
    work.publish(b"3", key="k")
    work.publish(b"other", key="o")
    assert payloads(work.take()) == [b"other"]
    work.wait(5)
    assert payloads(work.take()) == [b"1", b"2", b"3"]


def test_a_dead_letter_frees_the_key(desk: Any, payloads: Any, ids: Any) -> None:
    work = desk(ordered=True, max_attempts=5)
    work.publish(b"1", b"2", key="k")
    for _ in range(5):
        work.backlog.extend(ids(work.take(room=1)), 0)
    assert work.dead == [(b"1", 5)]
    assert payloads(work.take()) == [b"2"]


def test_nothing_is_kept_of_a_finished_key(work: Any, ids: Any) -> None:
    for number in range(100):
        work.publish(b"x", key=f"k{number}")
    work.backlog.acknowledge(ids(work.take()))
    assert work.backlog._line._keys == {}


def test_messages_without_a_key_are_free(work: Any, payloads: Any) -> None:
    work.publish(b"1", b"2")
    assert payloads(work.take(room=1)) == [b"1"]
    assert payloads(work.take(room=1)) == [b"2"]
