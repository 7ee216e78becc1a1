"""The broker: fan-out, dead letters, retention, snapshots and what they keep in memory."""

from typing import Any

import pytest

from localcloud.pubsub.consumer import Consumer
from localcloud.pubsub.errors import Code, PubsubError
from localcloud.pubsub.protos import PubsubMessage, PullResponse, Subscription, Topic
from localcloud.pubsub.resources import complete_subscription, complete_topic
from localcloud.pubsub.snapshots import take_snapshot

TOPIC = "projects/p/topics/events"
HOUR = 3_600


def add_topic(broker: Any, name: str = TOPIC, **fields: Any) -> Any:
    resource = Topic(name=name, **fields)
    complete_topic(resource)
    return broker.add_topic(resource)


def add_subscription(broker: Any, short: str, topic: str = TOPIC, **fields: Any) -> Any:
    resource = Subscription(name=f"projects/p/subscriptions/{short}", topic=topic, **fields)
    complete_subscription(resource)
    return broker.add_subscription(resource)


def publish(broker: Any, *payloads: bytes, topic: str = TOPIC, **attributes: str) -> list[str]:
    messages = [PubsubMessage(data=payload, attributes=attributes) for payload in payloads]
    ids: list[str] = broker.publish(broker.topic(topic), messages)
    return ids


def take(subscription: Any, *, settle: str = "ack") -> list[Any]:
    delivery = subscription.backlog.take(Consumer(lambda: None, 10), 1_000, 1 << 20)
    if delivery is None:
        return []
    received = list(PullResponse.FromString(delivery.payload).received_messages)
    ids = [item.ack_id for item in received]
    if settle == "ack":
        subscription.backlog.acknowledge(ids)
    elif settle == "nack":
        subscription.backlog.extend(ids, 0)
    return [item.message for item in received]


def data(messages: list[Any]) -> list[bytes]:
    return [message.data for message in messages]


def test_ids_count_up_and_are_those_of_the_messages(broker: Any) -> None:
    add_topic(broker)
    subscription = add_subscription(broker, "sub")
    ids = publish(broker, b"a", b"b") + publish(broker, b"c")
    assert sorted(ids, key=int) == ids
    assert [message.message_id for message in take(subscription)] == ids


def test_a_dead_letter_tells_its_origin_as_the_service_does(broker: Any) -> None:
    add_topic(broker)
    add_topic(broker, "projects/p/topics/dead")
    policy = {"dead_letter_topic": "projects/p/topics/dead", "max_delivery_attempts": 5}
    subscription = add_subscription(broker, "sub", dead_letter_policy=policy)
    letters = add_subscription(broker, "letters", "projects/p/topics/dead")
    [message_id] = publish(broker, b"x", kind="test")
    for _ in range(5):
        take(subscription, settle="nack")
    [letter] = take(letters)
    assert letter.message_id != message_id
    assert dict(letter.attributes) == {
        "kind": "test",
        "CloudPubSubDeadLetterSourceDeliveryCount": "5",
        "CloudPubSubDeadLetterSourceSubscription": "sub",
        "CloudPubSubDeadLetterSourceSubscriptionProject": "p",
        "CloudPubSubDeadLetterSourceTopicPublishTime": "2026-11-24T00:16:40.000+00:00",
    }


def test_dead_letters_may_go_to_the_topic_they_came_from(broker: Any) -> None:
    add_topic(broker)
    policy = {"dead_letter_topic": TOPIC, "max_delivery_attempts": 5}
    subscription = add_subscription(broker, "sub", dead_letter_policy=policy)
    publish(broker, b"x")
    for _ in range(5):
        take(subscription, settle="nack")
    assert data(take(subscription)) == [b"x"]


def test_nothing_is_retained_that_nothing_can_bring_back(broker: Any) -> None:
    topic = add_topic(broker)
    subscription = add_subscription(broker, "sub")
    publish(broker, b"x")
    take(subscription)
    assert topic.retained_count == 0


def test_retained_messages_are_dropped_after_the_retention(broker: Any, clock: Any) -> None:
    topic = add_topic(broker)
    retention = {"seconds": HOUR}
    subscription = add_subscription(broker, "sub", retain_acked_messages=True, message_retention_duration=retention)
    publish(broker, b"old")
    clock.advance(HOUR / 2)
    publish(broker, b"new")
    take(subscription)
    clock.advance(HOUR / 2 + 1)
    broker.tick()
    assert topic.retained_count == 1
    subscription.seek_time(0)
    assert data(take(subscription)) == [b"new"]


def test_retention_switched_off_forgets_and_switched_on_starts_anew(broker: Any) -> None:
    topic = add_topic(broker)
    subscription = add_subscription(broker, "sub", retain_acked_messages=True)
    publish(broker, b"before")
    take(subscription)
    for retain in (False, True):
        changed = Subscription()
        changed.CopyFrom(subscription.resource)
        changed.retain_acked_messages = retain
        subscription.configure(changed, broker.next_sequence)
        broker.tick()
        if not retain:
            assert topic.retained_count == 0
    publish(broker, b"after")
    take(subscription)
    subscription.seek_time(0)
    assert data(take(subscription)) == [b"after"]


def snapshot(broker: Any, subscription: Any, name: str = "projects/p/snapshots/one") -> Any:
    made = take_snapshot(name, {}, subscription, broker.next_sequence, broker.clock.now().timestamp())
    broker.add_snapshot(made)
    return made


def test_a_snapshot_keeps_later_messages_until_it_is_deleted(broker: Any) -> None:
    topic = add_topic(broker)
    subscription = add_subscription(broker, "sub")
    publish(broker, b"unacked")
    made = snapshot(broker, subscription)
    publish(broker, b"later")
    take(subscription)
    broker.tick()
    assert topic.retained_count == 1
    subscription.seek_messages(made.messages())
    assert data(take(subscription)) == [b"unacked", b"later"]
    broker.remove_snapshot(made.resource.name)
    broker.tick()
    assert topic.retained_count == 0


def test_a_snapshot_lives_seven_days_less_the_age_of_its_oldest_message(broker: Any, clock: Any) -> None:
    add_topic(broker)
    subscription = add_subscription(broker, "sub")
    publish(broker, b"x")
    clock.advance(24 * HOUR)
    made = snapshot(broker, subscription)
    assert made.expires - clock.now().timestamp() == pytest.approx(6 * 24 * HOUR, abs=0.01)
    clock.advance(6 * 24 * HOUR + 1)
    broker.tick()
    assert broker.snapshots == {}


def test_a_snapshot_that_would_live_under_an_hour_is_refused(broker: Any, clock: Any) -> None:
    add_topic(broker)
    subscription = add_subscription(broker, "sub", message_retention_duration={"seconds": 31 * 24 * HOUR})
    publish(broker, b"x")
    clock.advance(7 * 24 * HOUR - HOUR + 1)
    with pytest.raises(PubsubError) as refused:
        snapshot(broker, subscription)
    assert refused.value.code is Code.FAILED_PRECONDITION


def test_seeking_makes_every_older_ack_id_stale(broker: Any) -> None:
    add_topic(broker)
    subscription = add_subscription(broker, "sub")
    publish(broker, b"x")
    consumer = Consumer(lambda: None, 10)
    delivery = subscription.backlog.take(consumer, 1, 1_000)
    [received] = PullResponse.FromString(delivery.payload).received_messages
    subscription.seek_time(0)
    assert (consumer.messages, consumer.bytes) == (0, 0)
    assert subscription.backlog.acknowledge([received.ack_id]) == [received.ack_id]
    assert data(take(subscription)) == [b"x"]


def test_a_deleted_subscription_takes_nothing_more(broker: Any) -> None:
    add_topic(broker)
    subscription = add_subscription(broker, "sub")
    broker.remove_subscription(subscription.name)
    publish(broker, b"x")
    assert subscription.backlog.unacked() == []
    with pytest.raises(PubsubError) as refused:
        subscription.check_open()
    assert refused.value.code is Code.NOT_FOUND
