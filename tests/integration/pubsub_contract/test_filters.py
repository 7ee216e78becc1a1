"""Filters: a subscription gets only what its filter lets through."""

from typing import Any

import pytest

pytestmark = pytest.mark.embedded_only("Google's emulator ignores filters")


def test_only_messages_that_pass_the_filter_arrive(cloud: Any) -> None:
    topic, subscription = cloud.pair(filter='attributes.event_type = "cart_created"')
    cloud.publish(topic, b"yes", attributes={"event_type": "cart_created"})
    cloud.publish(topic, b"no", attributes={"event_type": "cart_deleted"})
    cloud.publish(topic, b"none")
    assert [message.message.data for message in cloud.pull(subscription)] == [b"yes"]
    assert cloud.nothing_to_pull(subscription)


def test_a_snapshot_of_another_subscription_is_filtered_too(cloud: Any) -> None:
    topic, everything = cloud.pair()
    some = cloud.subscription(topic, filter="attributes:wanted")
    cloud.publish(topic, b"yes", attributes={"wanted": ""})
    cloud.publish(topic, b"no")
    snapshot = cloud.name("snapshots")
    cloud.subscriber.create_snapshot(name=snapshot, subscription=everything)
    cloud.acknowledge(some, cloud.pull(some))
    cloud.subscriber.seek(request={"subscription": some, "snapshot": snapshot})
    assert [message.message.data for message in cloud.pull(some)] == [b"yes"]
    assert cloud.nothing_to_pull(some)
