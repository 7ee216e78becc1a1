"""The delivery machine: leases, attempts, flow control, backoff, retention."""

import gc
from typing import Any

import pytest

from localcloud.pubsub.errors import PubsubError
from localcloud.pubsub.leases import Entry
from localcloud.pubsub.message import StoredMessage
from localcloud.pubsub.policy import Backoff


def test_a_message_goes_out_once_while_it_is_leased(desk: Any, payloads: Any) -> None:
    work = desk()
    work.publish(b"a", b"b")
    assert payloads(work.take()) == [b"a", b"b"]
    assert work.take() == []


def test_a_lease_expires_at_its_deadline_and_not_before(desk: Any, payloads: Any) -> None:
    work = desk()
    work.publish(b"a")
    work.take(work.consumer(lease=10))
    work.wait(9.9)
    assert work.take() == []
    work.wait(0.1)
    assert payloads(work.take()) == [b"a"]


def test_an_extension_counts_from_when_it_is_asked_for(desk: Any, payloads: Any, ids: Any) -> None:
    work = desk()
    work.publish(b"a")
    received = work.take(work.consumer(lease=10))
    work.wait(9)
    assert work.backlog.extend(ids(received), 10) == []
    work.wait(9.9)
    assert work.take() == []
    work.wait(0.1)
    assert payloads(work.take()) == [b"a"]


def test_a_lease_can_be_shortened(desk: Any, payloads: Any, ids: Any) -> None:
    work = desk()
    work.publish(b"a")
    work.backlog.extend(ids(work.take(work.consumer(lease=600))), 1)
    work.wait(1)
    assert payloads(work.take()) == [b"a"]


def test_a_stale_ack_id_does_nothing_and_is_reported(desk: Any, payloads: Any, ids: Any) -> None:
    work = desk()
    work.publish(b"a")
    stale = ids(work.take())
    work.wait(10)
    again = work.take()
    assert work.backlog.acknowledge(stale) == stale
    assert work.backlog.extend(stale, 60) == stale
    assert work.backlog.extend(stale, 0) == stale
    work.wait(10)
    assert payloads(work.take()) == payloads(again) == [b"a"]


def test_an_ack_id_twice_in_one_request_is_one_ack(desk: Any, ids: Any) -> None:
    work = desk()
    work.publish(b"a", b"b")
    received = ids(work.take())
    assert work.backlog.acknowledge(received + received) == []
    assert work.backlog.counts().acked == 2


@pytest.mark.parametrize("ack_id", ["", "junk", "7", "7-", "-1", "7-zz", "8-1", "7-1-1"])
def test_an_ack_id_of_no_lease_of_this_subscription_is_refused_and_nothing_happens(
    desk: Any, ids: Any, ack_id: str
) -> None:
    work = desk()
    work.publish(b"a")
    received = ids(work.take())
    with pytest.raises(PubsubError, match="ack ID"):
        work.backlog.acknowledge([*received, ack_id])
    assert work.backlog.counts().leased == 1


def test_attempts_are_shown_only_with_dead_letters(desk: Any, ids: Any) -> None:
    for limit, expected in ((0, [0, 0]), (5, [1, 2])):
        work = desk(max_attempts=limit)
        work.publish(b"a")
        seen = []
        for _ in expected:
            received = work.take()
            seen.append(received[0].delivery_attempt)
            work.backlog.extend(ids(received), 0)
        assert seen == expected


@pytest.mark.parametrize("by_nack", [True, False])
def test_a_message_becomes_a_dead_letter_with_its_last_attempt(desk: Any, ids: Any, *, by_nack: bool) -> None:
    work = desk(max_attempts=5)
    work.publish(b"a")
    for _ in range(5):
        assert work.dead == []
        received = work.take()
        if by_nack:
            work.backlog.extend(ids(received), 0)
        else:
            work.wait(10)
    assert work.dead == [(b"a", 5)]
    assert work.take() == []
    assert work.backlog.counts().dead_lettered == 1
    assert work.backlog.unacked() == []


def test_a_message_that_can_not_be_forwarded_stays(desk: Any, payloads: Any, ids: Any) -> None:
    work = desk(max_attempts=5)
    work.forwards = False
    work.publish(b"a")
    for _ in range(7):
        received = work.take()
        assert payloads(received) == [b"a"]
        work.backlog.extend(ids(received), 0)
    assert work.backlog.counts().dead_lettered == 0


def test_the_backoff_doubles_up_to_its_maximum(desk: Any, payloads: Any, ids: Any) -> None:
    work = desk(backoff=Backoff(1, 5))
    work.publish(b"a")
    for seconds in (1, 2, 4, 5, 5):
        received = work.take()
        assert payloads(received) == [b"a"]
        work.backlog.extend(ids(received), 0)
        work.wait(seconds - 0.01)
        assert work.take() == []
        work.wait(0.01)


def test_an_expired_lease_has_a_backoff_too(desk: Any, payloads: Any) -> None:
    work = desk(backoff=Backoff(3, 60))
    work.publish(b"a")
    work.take()
    work.wait(10)
    assert work.take() == []
    work.wait(3)
    assert payloads(work.take()) == [b"a"]


def test_flow_control_counts_messages_until_they_are_settled(desk: Any, payloads: Any, ids: Any) -> None:
    work = desk()
    work.publish(b"a", b"b", b"c", b"d", b"e")
    consumer = work.consumer(max_messages=2)
    first = work.take(consumer)
    assert payloads(first) == [b"a", b"b"]
    assert work.take(consumer) == []
    work.backlog.acknowledge(ids(first)[:1])
    assert payloads(work.take(consumer)) == [b"c"]
    work.backlog.extend(ids(first)[1:], 0)
    assert payloads(work.take(consumer)) == [b"d"]
    work.wait(10)
    assert len(work.take(consumer)) == 2


def test_flow_control_counts_bytes_and_lets_a_large_message_through_alone(desk: Any, ids: Any) -> None:
    work = desk()
    work.publish(b"x" * 100, b"x" * 100, b"x" * 1_000, b"x" * 100)
    consumer = work.consumer(max_bytes=300)
    first = work.take(consumer)
    assert len(first) == 2
    assert work.take(consumer) == []
    work.backlog.acknowledge(ids(first)[:1])
    assert work.take(consumer) == []
    work.backlog.acknowledge(ids(first)[1:])
    large = work.take(consumer)
    assert [len(item.message.data) for item in large] == [1_000]
    assert work.take(consumer) == []
    work.backlog.acknowledge(ids(large))
    assert len(work.take(consumer)) == 1


def test_what_a_gone_consumer_held_comes_back_when_the_lease_expires(desk: Any, payloads: Any) -> None:
    work = desk()
    work.publish(b"a")
    consumer = work.consumer(attach=True)
    work.take(consumer)
    work.backlog.detach(consumer)
    assert work.take() == []
    work.wait(10)
    assert payloads(work.take()) == [b"a"]


def test_attached_consumers_share_a_backlog_evenly(desk: Any) -> None:
    work = desk()
    work.publish(*[b"x"] * 100)
    one, two = work.consumer(attach=True), work.consumer(attach=True)
    assert len(work.take(one)) == 50
    assert len(work.take(two)) == 25


def test_a_full_consumer_takes_no_share(desk: Any) -> None:
    work = desk()
    work.publish(*[b"x"] * 10)
    full, free = work.consumer(attach=True, max_messages=1), work.consumer(attach=True)
    work.take(full)
    assert len(work.take(free)) == 9


def test_a_message_older_than_the_retention_is_dropped(desk: Any, payloads: Any) -> None:
    work = desk(retention_seconds=600)
    work.publish(b"old")
    work.wait(300)
    work.publish(b"new")
    work.clock.advance(301)
    assert payloads(work.take()) == [b"new"]
    assert work.backlog.counts().ready == 0


def test_the_retention_is_kept_without_anyone_pulling(desk: Any) -> None:
    work = desk(retention_seconds=600)
    work.publish(b"old")
    work.wait(601)
    assert work.backlog.counts().ready == 0


def test_nothing_is_kept_of_acknowledged_messages(desk: Any, ids: Any) -> None:
    """Leases of 600 s end with the ack, not with their deadline."""
    work = desk()
    held: list[str] = []
    for _ in range(3_000):
        work.publish(b"x")
        received = ids(work.take(work.consumer(lease=600)))
        if held:
            work.backlog.acknowledge(received)
        else:
            held = received
    gc.collect()
    leases = work.backlog._leases
    assert len(leases) == 1
    assert len(leases._heap) <= 2_100
    assert sum(isinstance(item, Entry) for item in gc.get_objects()) == 1
    assert sum(isinstance(item, StoredMessage) for item in gc.get_objects()) == 1
