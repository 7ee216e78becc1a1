"""Pulling, acknowledging, leases and delivery attempts."""

import threading
import time
from typing import Any

import pytest
from google.api_core.exceptions import InvalidArgument


def test_an_acknowledged_message_does_not_come_again(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"x")
    received = cloud.pull(subscription)
    cloud.extend(subscription, received, 1)
    cloud.acknowledge(subscription, received)
    assert cloud.nothing_to_pull(subscription, 1.2)


def test_a_leased_message_is_not_given_out_again(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"x")
    cloud.pull(subscription)
    assert cloud.nothing_to_pull(subscription)


def test_an_expired_lease_brings_the_message_back_under_another_ack_id(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"x")
    [first] = cloud.pull(subscription)
    cloud.extend(subscription, [first], 1)
    [second] = cloud.pull(subscription)
    assert second.message.message_id == first.message.message_id
    assert second.ack_id != first.ack_id


def test_an_extended_lease_outlives_its_first_deadline(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"x")
    received = cloud.pull(subscription)
    cloud.extend(subscription, received, 1)
    cloud.extend(subscription, received, 30)
    assert cloud.nothing_to_pull(subscription, 1.2)


def test_a_nack_brings_the_message_back_at_once(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"x")
    first = cloud.pull(subscription)
    cloud.extend(subscription, first, 0)
    assert cloud.pull(subscription)[0].message.message_id == first[0].message.message_id


def test_only_what_was_acknowledged_is_gone(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, *(b"%d" % number for number in range(10)))
    received = cloud.pull(subscription, 10)
    cloud.acknowledge(subscription, received[::2])
    cloud.extend(subscription, received[1::2], 0)
    again = {message.message.data for message in cloud.pull(subscription, 5)}
    assert again == {message.message.data for message in received[1::2]}


def test_an_ack_may_be_repeated(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"x")
    received = cloud.pull(subscription)
    cloud.acknowledge(subscription, received + received)
    cloud.acknowledge(subscription, received)
    assert cloud.nothing_to_pull(subscription)


def test_an_ack_id_that_was_never_given_out_is_refused(cloud: Any) -> None:
    _, subscription = cloud.pair()
    with pytest.raises(InvalidArgument, match="junk"):
        cloud.subscriber.acknowledge(subscription=subscription, ack_ids=["junk"])
    with pytest.raises(InvalidArgument, match="junk"):
        cloud.subscriber.modify_ack_deadline(subscription=subscription, ack_ids=["junk"], ack_deadline_seconds=9)


def test_no_ack_ids_at_all_are_refused(cloud: Any) -> None:
    _, subscription = cloud.pair()
    with pytest.raises(InvalidArgument, match="No ack ids"):
        cloud.subscriber.acknowledge(subscription=subscription, ack_ids=[])
    with pytest.raises(InvalidArgument, match="No ack ids"):
        cloud.subscriber.modify_ack_deadline(subscription=subscription, ack_ids=[], ack_deadline_seconds=9)


@pytest.mark.embedded_only("Google's emulator takes the ack ids of other subscriptions")
def test_an_ack_id_of_another_subscription_is_refused(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    other = cloud.subscription(topic)
    cloud.publish(topic, b"x")
    received = cloud.pull(subscription)
    with pytest.raises(InvalidArgument, match="does not belong"):
        cloud.acknowledge(other, received)


@pytest.mark.embedded_only("Google's emulator does not bound deadlines above")
@pytest.mark.parametrize("seconds", [-1, 601])
def test_an_ack_deadline_out_of_bounds_is_refused(cloud: Any, seconds: int) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"x")
    received = cloud.pull(subscription)
    with pytest.raises(InvalidArgument, match="ack_deadline_seconds"):
        cloud.extend(subscription, received, seconds)


@pytest.mark.embedded_only("Google's emulator has no limit of size")
def test_an_acknowledge_request_over_512_kibibytes_is_refused(cloud: Any) -> None:
    _, subscription = cloud.pair()
    with pytest.raises(InvalidArgument, match="524288"):
        cloud.subscriber.acknowledge(subscription=subscription, ack_ids=["x" * 1_000] * 600)


def test_a_pull_without_a_number_of_messages_is_refused(cloud: Any) -> None:
    _, subscription = cloud.pair()
    with pytest.raises(InvalidArgument, match="max_messages"):
        cloud.pull_now(subscription, 0)


def test_a_pull_returns_no_more_than_it_asks_for(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, *([b"x"] * 10))
    assert len(cloud.pull_now(subscription, 3)) <= 3
    assert len(cloud.pull_now(subscription, 3)) <= 3


def test_a_waiting_pull_gets_what_is_published_meanwhile(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    got: list[Any] = []

    def pull() -> None:
        while not got:
            got.extend(cloud.subscriber.pull(subscription=subscription, max_messages=1, timeout=10).received_messages)

    waiting = threading.Thread(target=pull)
    waiting.start()
    cloud.publish(topic, b"x")
    waiting.join(10)
    assert [message.message.data for message in got] == [b"x"]


def test_a_pull_that_finds_nothing_returns_nothing_before_its_deadline(cloud: Any) -> None:
    _, subscription = cloud.pair()
    response = cloud.subscriber.pull(subscription=subscription, max_messages=1, timeout=3, retry=None)
    assert list(response.received_messages) == []


def test_the_attempts_are_counted_only_with_dead_letters(cloud: Any) -> None:
    topic = cloud.topic()
    counted = cloud.subscription(topic, dead_letter_policy={"dead_letter_topic": cloud.topic()})
    plain = cloud.subscription(topic)
    cloud.publish(topic, b"x")
    seen = []
    for _ in range(3):
        received = cloud.pull(counted)
        seen.append(received[0].delivery_attempt)
        cloud.extend(counted, received, 0)
    assert seen == [1, 2, 3]
    assert cloud.pull(plain)[0].delivery_attempt == 0


def test_many_messages_come_exactly_once_when_acknowledged(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    sent = [b"%d" % number for number in range(2_000)]
    for start in range(0, len(sent), 500):
        cloud.publish(topic, *sent[start : start + 500])
    got: list[bytes] = []
    deadline = time.monotonic() + 20
    while len(got) < len(sent) and time.monotonic() < deadline:
        received = cloud.pull_now(subscription, 1_000)
        if received:
            cloud.acknowledge(subscription, received)
        got.extend(message.message.data for message in received)
    assert sorted(got) == sorted(sent)
    assert cloud.nothing_to_pull(subscription)
