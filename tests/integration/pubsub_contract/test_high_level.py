"""Google's high-level clients, unchanged, with nothing but `PUBSUB_EMULATOR_HOST`."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from google.cloud import pubsub_v1
from google.cloud.pubsub_v1.subscriber.exceptions import AcknowledgeError, AcknowledgeStatus

type Clients = Callable[..., tuple[Any, Any]]


class Inbox:
    """A callback that keeps what it gets, and can be waited for."""

    def __init__(self, act: Callable[[Any], None]) -> None:
        self.messages: list[Any] = []
        self._act = act
        self._changed = threading.Condition()

    def __call__(self, message: Any) -> None:
        self._act(message)
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def wait_for(self, count: int, seconds: float = 20) -> list[Any]:
        """Return the messages once there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.messages) >= count, seconds), len(self.messages)
            return list(self.messages)


def test_what_is_published_is_received_and_acknowledged(cloud: Any, high_level: Clients) -> None:
    publisher, subscriber = high_level()
    topic, subscription = cloud.pair()
    futures = [publisher.publish(topic, b"%d" % number, kind="test") for number in range(500)]
    ids = {future.result(10) for future in futures}
    inbox = Inbox(lambda message: message.ack())
    pulling = subscriber.subscribe(subscription, inbox)
    received = inbox.wait_for(500)
    pulling.cancel()
    pulling.result(10)
    assert {message.message_id for message in received} == ids
    assert {message.attributes["kind"] for message in received} == {"test"}
    assert cloud.nothing_to_pull(subscription)


def test_a_nacked_message_comes_again(cloud: Any, high_level: Clients) -> None:
    publisher, subscriber = high_level()
    topic, subscription = cloud.pair()
    publisher.publish(topic, b"x").result(10)
    first = threading.Event()

    def act(message: Any) -> None:
        if first.is_set():
            message.ack()
        else:
            first.set()
            message.nack()

    inbox = Inbox(act)
    pulling = subscriber.subscribe(subscription, inbox)
    received = inbox.wait_for(2)
    pulling.cancel()
    pulling.result(10)
    assert len({message.message_id for message in received}) == 1


@pytest.mark.long
def test_ordering_keys_are_received_in_order(cloud: Any, high_level: Clients) -> None:
    publisher, subscriber = high_level(publisher_options=pubsub_v1.types.PublisherOptions(enable_message_ordering=True))
    topic, subscription = cloud.pair(enable_message_ordering=True)
    for number in range(100):
        publisher.publish(topic, b"%03d" % number, ordering_key=f"k{number % 3}")
    publisher.stop()
    inbox = Inbox(lambda message: message.ack())
    pulling = subscriber.subscribe(subscription, inbox)
    received = inbox.wait_for(100)
    pulling.cancel()
    pulling.result(10)
    for key in ("k0", "k1", "k2"):
        of_key = [message.data for message in received if message.ordering_key == key]
        assert of_key == sorted(of_key)


def test_flow_control_bounds_what_is_worked_on_at_once(cloud: Any, high_level: Clients) -> None:
    publisher, subscriber = high_level()
    topic, subscription = cloud.pair()
    for number in range(30):
        publisher.publish(topic, b"%d" % number)
    publisher.stop()
    lock, now, most = threading.Lock(), [0], [0]

    def act(message: Any) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.01)  # work takes time
        with lock:
            now[0] -= 1
        message.ack()

    inbox = Inbox(act)
    pulling = subscriber.subscribe(subscription, inbox, flow_control=pubsub_v1.types.FlowControl(max_messages=2))
    inbox.wait_for(30)
    pulling.cancel()
    pulling.result(10)
    assert most[0] <= 2


@pytest.mark.embedded_only("Google's emulator confirms nothing and takes stale ack ids")
def test_exactly_once_acks_are_confirmed_and_a_second_one_fails(cloud: Any, high_level: Clients) -> None:
    publisher, subscriber = high_level()
    topic, subscription = cloud.pair(enable_exactly_once_delivery=True)
    publisher.publish(topic, b"x").result(10)
    outcomes: list[Any] = []

    def act(message: Any) -> None:
        outcomes.append(message.ack_with_response())

    inbox = Inbox(act)
    pulling = subscriber.subscribe(subscription, inbox)
    [message] = inbox.wait_for(1)
    assert outcomes[0].result(10) == AcknowledgeStatus.SUCCESS
    with pytest.raises(AcknowledgeError) as refused:
        message.ack_with_response().result(10)
    assert refused.value.error_code == AcknowledgeStatus.INVALID_ACK_ID
    pulling.cancel()
    pulling.result(10)
