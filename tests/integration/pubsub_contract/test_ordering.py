"""Ordering keys: order, one owner a key, redelivery of what follows."""

from typing import Any

import pytest


def received(messages: list[Any]) -> list[bytes]:
    return [message.message.data for message in messages]


def test_the_messages_of_a_key_come_in_their_order(cloud: Any) -> None:
    topic, subscription = cloud.pair(enable_message_ordering=True)
    for number in range(0, 100, 10):
        cloud.publish(topic, *(b"%03d" % (number + offset) for offset in range(10)), ordering_key="k")
    got: list[bytes] = []
    while len(got) < 100:
        messages = cloud.pull(subscription)
        got.extend(received(messages))
        cloud.acknowledge(subscription, messages)
    assert got == sorted(got)


def test_a_stream_gets_a_key_in_order_while_earlier_messages_are_outstanding(cloud: Any) -> None:
    topic, subscription = cloud.pair(enable_message_ordering=True)
    with cloud.stream(subscription) as stream:
        cloud.publish(topic, b"1", ordering_key="k")
        assert received(stream.messages(1)) == [b"1"]
        cloud.publish(topic, b"2", ordering_key="k")
        assert received(stream.messages(1)) == [b"2"]


@pytest.mark.embedded_only("Google's emulator lets go of the key sometimes")
def test_a_key_that_one_stream_holds_is_not_given_to_another(cloud: Any) -> None:
    topic, subscription = cloud.pair(enable_message_ordering=True)
    with cloud.stream(subscription) as one:
        cloud.publish(topic, b"1", ordering_key="k")
        first = one.messages(1)
        with cloud.stream(subscription) as two:
            cloud.publish(topic, b"2", ordering_key="k")
            assert received(one.messages(1)) == [b"2"]
            assert two.quiet_for(0.3)
            cloud.acknowledge(subscription, first)


def test_a_pull_waits_for_the_outstanding_batch_of_a_key(cloud: Any) -> None:
    topic, subscription = cloud.pair(enable_message_ordering=True)
    cloud.publish(topic, b"1", b"2", b"3", ordering_key="k")
    first = cloud.pull(subscription, 1)
    assert received(first)[0] == b"1"
    assert cloud.nothing_to_pull(subscription)
    cloud.acknowledge(subscription, first)
    assert received(cloud.pull(subscription, 1))[0] == b"%d" % (len(first) + 1)


def test_a_nack_brings_back_the_later_messages_of_the_key_too(cloud: Any) -> None:
    topic, subscription = cloud.pair(enable_message_ordering=True)
    with cloud.stream(subscription) as stream:
        cloud.publish(topic, b"1", b"2", b"3", ordering_key="k")
        messages = stream.messages(3)
        assert received(messages) == [b"1", b"2", b"3"]
        stream.send(modify_deadline_ack_ids=[message.ack_id for message in messages], modify_deadline_seconds=[0] * 3)
        assert received(stream.messages(3)) == [b"1", b"2", b"3"]


def test_a_held_key_does_not_hold_up_others(cloud: Any) -> None:
    topic, subscription = cloud.pair(enable_message_ordering=True)
    cloud.publish(topic, b"a1", ordering_key="a")
    held = cloud.pull(subscription)
    cloud.publish(topic, b"b1", ordering_key="b")
    cloud.publish(topic, b"none")
    assert set(received(cloud.pull(subscription, 2))) == {b"b1", b"none"}
    cloud.acknowledge(subscription, held)


def test_without_ordering_keys_mean_nothing(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"1", b"2", ordering_key="k")
    assert len(cloud.pull(subscription, 1)) == 1
    assert len(cloud.pull(subscription, 1)) == 1


def test_the_stream_says_that_ordering_is_on(cloud: Any) -> None:
    topic, subscription = cloud.pair(enable_message_ordering=True)
    cloud.publish(topic, b"1", ordering_key="k")
    with cloud.stream(subscription) as stream:
        assert stream.next().subscription_properties.message_ordering_enabled
