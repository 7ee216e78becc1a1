"""Seeking to a time and to a snapshot."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core.exceptions import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound


def data(messages: list[Any]) -> list[bytes]:
    return sorted(message.message.data for message in messages)


def publish_after_a_moment(cloud: Any, topic: str, payload: bytes) -> datetime:
    """Publish, and return a time that lies before this message and after all earlier ones."""
    moment = datetime.now(UTC) + timedelta(milliseconds=50)
    while datetime.now(UTC) < moment + timedelta(milliseconds=50):
        time.sleep(0.01)  # the service's clock, not a condition, has to move on
    cloud.publish(topic, payload)
    return moment


def seek(cloud: Any, subscription: str, moment: datetime) -> None:
    cloud.subscriber.seek(request={"subscription": subscription, "time": moment})


def test_seeking_to_the_future_acknowledges_everything(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"a", b"b")
    seek(cloud, subscription, datetime.now(UTC) + timedelta(hours=1))
    assert cloud.nothing_to_pull(subscription)
    cloud.publish(topic, b"c")


def test_seeking_to_a_time_keeps_what_was_published_later(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"old")
    moment = publish_after_a_moment(cloud, topic, b"new")
    seek(cloud, subscription, moment)
    assert data(cloud.pull(subscription)) == [b"new"]
    assert cloud.nothing_to_pull(subscription)


def test_seeking_back_brings_retained_messages_again(cloud: Any) -> None:
    topic, subscription = cloud.pair(retain_acked_messages=True)
    cloud.publish(topic, b"old")
    moment = publish_after_a_moment(cloud, topic, b"new")
    cloud.acknowledge(subscription, cloud.pull(subscription, 2))
    seek(cloud, subscription, moment)
    assert data(cloud.pull(subscription)) == [b"new"]
    seek(cloud, subscription, moment - timedelta(hours=1))
    assert data(cloud.pull(subscription, 2)) == [b"new", b"old"]


def test_seeking_back_brings_nothing_without_retention(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    other = cloud.subscription(topic, retain_acked_messages=True)
    cloud.publish(topic, b"x")
    cloud.acknowledge(subscription, cloud.pull(subscription))
    seek(cloud, subscription, datetime.now(UTC) - timedelta(hours=1))
    assert cloud.nothing_to_pull(subscription)
    assert data(cloud.pull(other)) == [b"x"]


@pytest.mark.embedded_only("Google's emulator does not retain on the topic")
def test_a_new_subscription_can_seek_into_what_the_topic_retains(cloud: Any) -> None:
    topic = cloud.topic(message_retention_duration={"seconds": 600})
    cloud.publish(topic, b"x")
    subscription = cloud.subscription(topic)
    shown = cloud.subscriber.get_subscription(subscription=subscription)
    assert shown.topic_message_retention_duration.total_seconds() == 600
    seek(cloud, subscription, datetime.now(UTC) - timedelta(minutes=5))
    assert data(cloud.pull(subscription)) == [b"x"]


def test_a_snapshot_brings_back_what_was_unacknowledged_and_what_came_later(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"acked")
    cloud.acknowledge(subscription, cloud.pull(subscription))
    cloud.publish(topic, b"unacked")
    snapshot = cloud.name("snapshots")
    cloud.subscriber.create_snapshot(name=snapshot, subscription=subscription)
    cloud.publish(topic, b"later")
    cloud.acknowledge(subscription, cloud.pull(subscription, 2))
    assert cloud.nothing_to_pull(subscription)
    cloud.subscriber.seek(request={"subscription": subscription, "snapshot": snapshot})
    assert data(cloud.pull(subscription, 2)) == [b"later", b"unacked"]
    assert cloud.nothing_to_pull(subscription)


def test_snapshots_are_listed_and_deleted(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    made = {cloud.name("snapshots") for _ in range(3)}
    for snapshot in made:
        created = cloud.subscriber.create_snapshot(
            request={"name": snapshot, "subscription": subscription, "labels": {"a": "b"}}
        )
        assert created.topic == topic
        assert created.expire_time > datetime.now(UTC) + timedelta(days=6)
    project = f"projects/{cloud.project}"
    listed = list(cloud.subscriber.list_snapshots(request={"project": project, "page_size": 2}))
    assert {snapshot.name for snapshot in listed} == made
    assert set(cloud.publisher.list_topic_snapshots(topic=topic)) == made
    cloud.subscriber.delete_snapshot(snapshot=listed[0].name)
    assert len(list(cloud.subscriber.list_snapshots(project=project))) == 2


def test_a_snapshot_is_made_only_once_and_of_something(cloud: Any) -> None:
    _, subscription = cloud.pair()
    snapshot = cloud.name("snapshots")
    cloud.subscriber.create_snapshot(name=snapshot, subscription=subscription)
    with pytest.raises(AlreadyExists):
        cloud.subscriber.create_snapshot(name=snapshot, subscription=subscription)
    with pytest.raises(NotFound):
        cloud.subscriber.create_snapshot(name=cloud.name("snapshots"), subscription=cloud.name("subscriptions"))
    with pytest.raises(InvalidArgument):
        cloud.subscriber.create_snapshot(name="nonsense", subscription=subscription)


def test_a_missing_snapshot_is_not_found(cloud: Any) -> None:
    _, subscription = cloud.pair()
    snapshot = cloud.name("snapshots")
    for call in (cloud.subscriber.get_snapshot, cloud.subscriber.delete_snapshot):
        with pytest.raises(NotFound):
            call(snapshot=snapshot)
    with pytest.raises(NotFound):
        cloud.subscriber.seek(request={"subscription": subscription, "snapshot": snapshot})


def test_a_snapshot_of_another_topic_is_refused(cloud: Any) -> None:
    _, subscription = cloud.pair()
    _, other = cloud.pair()
    snapshot = cloud.name("snapshots")
    cloud.subscriber.create_snapshot(name=snapshot, subscription=other)
    with pytest.raises(FailedPrecondition, match="different"):
        cloud.subscriber.seek(request={"subscription": subscription, "snapshot": snapshot})


@pytest.mark.embedded_only("Google's emulator can't change snapshots")
def test_the_labels_of_a_snapshot_can_be_changed(cloud: Any) -> None:
    _, subscription = cloud.pair()
    snapshot = cloud.name("snapshots")
    cloud.subscriber.create_snapshot(name=snapshot, subscription=subscription)
    given = {"name": snapshot, "labels": {"a": "b"}}
    cloud.subscriber.update_snapshot(request={"snapshot": given, "update_mask": {"paths": ["labels"]}})
    assert dict(cloud.subscriber.get_snapshot(snapshot=snapshot).labels) == {"a": "b"}


def test_seeking_needs_a_target(cloud: Any) -> None:
    _, subscription = cloud.pair()
    with pytest.raises(InvalidArgument, match="target"):
        cloud.subscriber.seek(request={"subscription": subscription})
