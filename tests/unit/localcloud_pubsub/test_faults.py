"""Faults on demand, and giving memory back."""

from typing import Any

import pytest

from localcloud.pubsub.consumer import Consumer
from localcloud.pubsub.errors import Code, PubsubError
from localcloud.pubsub.faults import Faults
from localcloud.pubsub.memory import WORTH_IT_MESSAGES, Housekeeping
from localcloud.pubsub.protos import PubsubMessage, PullResponse, Subscription, Topic
from localcloud.pubsub.resources import complete_subscription


async def test_a_rejection_ends_after_its_time(clock: Any) -> None:
    faults = Faults(clock)
    faults.set({"reject": {"method": "Publish", "code": "RESOURCE_EXHAUSTED", "for_seconds": 5}})
    await faults.before("Pull")
    with pytest.raises(PubsubError) as refused:
        await faults.before("Publish")
    assert refused.value.code is Code.RESOURCE_EXHAUSTED
    clock.advance(5)
    await faults.before("Publish")
    assert not faults.active


async def test_a_delay_is_slept_before_each_call(clock: Any) -> None:
    faults = Faults(clock)
    faults.set({"delay_seconds": 2})
    before = clock.monotonic()
    await faults.before("Publish")
    assert clock.monotonic() - before == 2


def test_faults_that_are_not_named_stay(clock: Any) -> None:
    faults = Faults(clock)
    faults.set({"delay_seconds": 2, "reject": {}})
    faults.set({"drop_streams_every_seconds": 1})
    assert faults.shown() == {
        "drop_streams_every_seconds": 1,
        "delay_seconds": 2,
        "reject": {"method": "*", "code": "UNAVAILABLE", "for_seconds": None},
    }
    assert not faults.reset().active


def test_memory_is_given_back_once_when_a_backlog_is_gone(broker: Any) -> None:
    topic = broker.add_topic(Topic(name="projects/p/topics/events"))
    resource = Subscription(name="projects/p/subscriptions/events", topic=topic.name)
    complete_subscription(resource)
    backlog = broker.add_subscription(resource).backlog
    released: list[int] = []
    housekeeping = Housekeeping(broker, lambda: released.append(1))
    broker.publish(topic, [PubsubMessage(data=b"x")] * WORTH_IT_MESSAGES)
    housekeeping.tick()
    assert released == []
    delivery = backlog.take(Consumer(lambda: None, 10), WORTH_IT_MESSAGES, 1 << 30)
    backlog.acknowledge([item.ack_id for item in PullResponse.FromString(delivery.payload).received_messages])
    housekeeping.tick()
    housekeeping.tick()
    assert released == [1]
