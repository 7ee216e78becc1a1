"""Backoff between deliveries."""

import time
from typing import Any

import pytest

pytestmark = pytest.mark.embedded_only("Google's emulator ignores the minimum backoff")


def with_backoff(cloud: Any, **fields: Any) -> tuple[str, str]:
    policy = {"minimum_backoff": {"seconds": 1}, "maximum_backoff": {"seconds": 2}}
    pair: tuple[str, str] = cloud.pair(retry_policy=policy, **fields)
    return pair


def test_a_nacked_message_waits_out_the_minimum_backoff(cloud: Any) -> None:
    topic, subscription = with_backoff(cloud)
    cloud.publish(topic, b"x")
    received = cloud.pull(subscription)
    nacked = time.monotonic()
    cloud.extend(subscription, received, 0)
    assert cloud.nothing_to_pull(subscription, 0.5)
    cloud.pull(subscription)
    assert time.monotonic() - nacked >= 1


def test_a_backoff_holds_up_no_other_message(cloud: Any) -> None:
    topic, subscription = with_backoff(cloud)
    cloud.publish(topic, b"slow")
    cloud.extend(subscription, cloud.pull(subscription), 0)
    cloud.publish(topic, b"quick")
    assert cloud.pull(subscription)[0].message.data == b"quick"


def test_a_backoff_holds_up_the_later_messages_of_the_key(cloud: Any) -> None:
    topic, subscription = with_backoff(cloud, enable_message_ordering=True)
    cloud.publish(topic, b"1", ordering_key="k")
    cloud.extend(subscription, cloud.pull(subscription), 0)
    cloud.publish(topic, b"2", ordering_key="k")
    assert cloud.nothing_to_pull(subscription, 0.5)
    assert [message.message.data for message in cloud.pull(subscription, 2)] == [b"1", b"2"]
