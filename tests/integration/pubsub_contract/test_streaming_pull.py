"""The raw streaming pull: requests, flow control, leases, how a stream ends."""

import queue
from typing import Any

import pytest
from google.api_core.exceptions import InvalidArgument, NotFound


def ack_ids(messages: list[Any]) -> list[str]:
    return [message.ack_id for message in messages]


def payloads(messages: list[Any]) -> set[bytes]:
    return {message.message.data for message in messages}


def test_messages_come_as_they_are_published(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"before")
    with cloud.stream(subscription) as stream:
        assert payloads(stream.messages(1)) == {b"before"}
        cloud.publish(topic, b"after")
        assert payloads(stream.messages(1)) == {b"after"}


def test_acks_on_the_stream_count(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"a", b"b")
    with cloud.stream(subscription) as stream:
        ids = ack_ids(stream.messages(2))
        stream.send(modify_deadline_ack_ids=ids, modify_deadline_seconds=[1, 1])
        stream.send(ack_ids=ids)
        assert stream.quiet_for(1.2)


def test_acks_by_unary_calls_count_for_messages_of_a_stream(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"x")
    with cloud.stream(subscription) as stream:
        received = stream.messages(1)
        cloud.extend(subscription, received, 1)
        cloud.acknowledge(subscription, received)
        assert stream.quiet_for(1.2)


def test_a_nack_on_the_stream_brings_the_message_back(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"x")
    with cloud.stream(subscription) as stream:
        [first] = stream.messages(1)
        stream.send(modify_deadline_ack_ids=[first.ack_id], modify_deadline_seconds=[0])
        [second] = stream.messages(1)
        assert second.message.message_id == first.message.message_id


def test_each_lease_has_its_own_deadline(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"a", b"b")
    with cloud.stream(subscription) as stream:
        received = stream.messages(2)
        stream.send(modify_deadline_ack_ids=ack_ids(received), modify_deadline_seconds=[1, 60])
        assert payloads(stream.messages(1)) == {received[0].message.data}
        assert stream.quiet_for(0.5)


@pytest.mark.embedded_only("Google's emulator may give it to the stream that is gone")
def test_a_message_is_redelivered_on_another_stream_after_the_first_one_is_gone(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"x")
    with cloud.stream(subscription) as stream:
        received = stream.messages(1)
    cloud.extend(subscription, received, 1)
    with cloud.stream(subscription) as stream:
        assert payloads(stream.messages(1)) == {b"x"}


@pytest.mark.embedded_only("Google's emulator sends what was published together, whatever the bound")
def test_outstanding_messages_are_bounded(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, *(b"%d" % number for number in range(10)))
    with cloud.stream(subscription, max_outstanding_messages=3) as stream:
        received = stream.messages(3)
        assert len(received) == 3
        assert stream.quiet_for(0.5)
        stream.send(ack_ids=ack_ids(received[:2]))
        more = stream.messages(2)
        assert len(more) == 2
        assert stream.quiet_for(0.5)


@pytest.mark.embedded_only("Google's emulator sends everything in its first response")
def test_outstanding_bytes_are_bounded(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, *([b"x" * 1_000] * 10))
    with cloud.stream(subscription, max_outstanding_bytes=3_500) as stream:
        received = stream.messages(3)
        assert len(received) == 3
        assert stream.quiet_for(0.5)
        cloud.acknowledge(subscription, received)
        assert len(stream.messages(3)) == 3


@pytest.mark.embedded_only("Google's emulator never sends a message that is larger than the bound")
def test_a_message_larger_than_the_bound_of_bytes_still_comes(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"x" * 5_000)
    with cloud.stream(subscription, max_outstanding_bytes=1_000) as stream:
        assert len(stream.messages(1)) == 1


def test_an_expired_lease_makes_room_again(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"x")
    with cloud.stream(subscription, max_outstanding_messages=1) as stream:
        [first] = stream.messages(1)
        stream.send(modify_deadline_ack_ids=[first.ack_id], modify_deadline_seconds=[1])
        assert stream.messages(1)[0].message.message_id == first.message.message_id


@pytest.mark.embedded_only("Google's emulator gives what was published together to one stream")
def test_two_streams_share_the_messages(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    sent = {b"%d" % number for number in range(20)}
    with (
        cloud.stream(subscription, max_outstanding_messages=10) as one,
        cloud.stream(subscription, max_outstanding_messages=10) as two,
    ):
        cloud.publish(topic, *sent)
        first, second = one.messages(10), two.messages(10)
    assert payloads(first) | payloads(second) == sent


@pytest.mark.parametrize(
    "first",
    [
        {"stream_ack_deadline_seconds": 9},
        {"stream_ack_deadline_seconds": 601},
        {"stream_ack_deadline_seconds": 0},
        {"ack_ids": ["junk"]},
        {"modify_deadline_ack_ids": ["a"], "modify_deadline_seconds": [1, 2]},
    ],
)
def test_a_wrong_first_request_ends_the_stream(cloud: Any, first: dict[str, Any]) -> None:
    _, subscription = cloud.pair()
    with cloud.stream(subscription, **first) as stream, pytest.raises(InvalidArgument):
        stream.next()


@pytest.mark.parametrize("subscription", ["", "nonsense", "projects/p/subscriptions/a"])
def test_a_bad_subscription_name_ends_the_stream(cloud: Any, subscription: str) -> None:
    with cloud.stream(subscription) as stream, pytest.raises(InvalidArgument):
        stream.next()


def test_a_missing_subscription_ends_the_stream(cloud: Any) -> None:
    with cloud.stream(cloud.name("subscriptions")) as stream, pytest.raises(NotFound):
        stream.next()


def test_a_later_request_may_not_name_the_subscription(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"x")
    with cloud.stream(subscription) as stream:
        stream.messages(1)
        stream.send(subscription=subscription)
        with pytest.raises(InvalidArgument):
            stream.next()


@pytest.mark.embedded_only("Google's emulator takes new bounds on an open stream")
@pytest.mark.parametrize("field", ["max_outstanding_messages", "max_outstanding_bytes"])
def test_a_later_request_may_not_change_the_bounds(cloud: Any, field: str) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"x")
    with cloud.stream(subscription) as stream:
        stream.messages(1)
        stream.send(**{field: 5})
        with pytest.raises(InvalidArgument, match=field):
            stream.next()


def test_a_stream_without_messages_is_silent(cloud: Any) -> None:
    _, subscription = cloud.pair()
    with cloud.stream(subscription) as stream, pytest.raises(queue.Empty):
        stream.messages(1, 0.3)
