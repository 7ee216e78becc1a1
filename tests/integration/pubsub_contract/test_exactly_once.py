"""Exactly-once delivery: confirmations, and stale ack ids as errors."""

from typing import Any

import pytest
from google.api_core.exceptions import FailedPrecondition

ONLY = pytest.mark.embedded_only("Google's emulator confirms nothing and takes stale ack ids")


def test_the_stream_says_that_exactly_once_is_on(cloud: Any) -> None:
    topic, subscription = cloud.pair(enable_exactly_once_delivery=True)
    cloud.publish(topic, b"x")
    with cloud.stream(subscription) as stream:
        assert stream.next().subscription_properties.exactly_once_delivery_enabled


@ONLY
def test_a_stale_ack_id_fails_with_its_reason(cloud: Any) -> None:
    topic, subscription = cloud.pair(enable_exactly_once_delivery=True)
    cloud.publish(topic, b"a", b"b")
    received = cloud.pull(subscription, 2)
    cloud.acknowledge(subscription, received[:1])
    with pytest.raises(FailedPrecondition) as refused:
        cloud.acknowledge(subscription, received)
    [info] = refused.value.details
    assert info.reason == "INVALID_ACK_ID"
    assert dict(info.metadata) == {received[0].ack_id: "PERMANENT_FAILURE_INVALID_ACK_ID"}
    with pytest.raises(FailedPrecondition):
        cloud.extend(subscription, received[1:], 0)


@ONLY
def test_an_expired_lease_can_be_neither_acknowledged_nor_extended(cloud: Any) -> None:
    topic, subscription = cloud.pair(enable_exactly_once_delivery=True)
    cloud.publish(topic, b"x")
    first = cloud.pull(subscription)
    cloud.extend(subscription, first, 1)
    second = cloud.pull(subscription)
    with pytest.raises(FailedPrecondition):
        cloud.acknowledge(subscription, first)
    with pytest.raises(FailedPrecondition):
        cloud.extend(subscription, first, 60)
    cloud.acknowledge(subscription, second)
    assert cloud.nothing_to_pull(subscription)


@ONLY
def test_acks_and_extensions_on_the_stream_are_confirmed(cloud: Any) -> None:
    topic, subscription = cloud.pair(enable_exactly_once_delivery=True)
    cloud.publish(topic, b"a", b"b")
    with cloud.stream(subscription) as stream:
        ids = [message.ack_id for message in stream.messages(2)]
        stream.send(modify_deadline_ack_ids=ids, modify_deadline_seconds=[60, 60])
        assert list(stream.next().modify_ack_deadline_confirmation.ack_ids) == ids
        stream.send(ack_ids=ids[:1])
        assert list(stream.next().acknowledge_confirmation.ack_ids) == ids[:1]
        stream.send(ack_ids=ids)
        confirmed = stream.next().acknowledge_confirmation
        assert list(confirmed.ack_ids) == ids[1:]
        assert list(confirmed.invalid_ack_ids) == ids[:1]


@ONLY
def test_exactly_once_can_be_switched_on_while_a_stream_is_open(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    with cloud.stream(subscription) as stream:
        cloud.publish(topic, b"a")
        assert not stream.next().subscription_properties.exactly_once_delivery_enabled
        changed = {"name": subscription, "enable_exactly_once_delivery": True}
        cloud.subscriber.update_subscription(
            request={"subscription": changed, "update_mask": {"paths": ["enable_exactly_once_delivery"]}}
        )
        cloud.publish(topic, b"b")
        assert stream.next().subscription_properties.exactly_once_delivery_enabled
