"""The emulator's state: topics, subscriptions, snapshots, and the way of a message between them."""

from collections.abc import Sequence
from functools import partial

from dataplatform.clock import Clock
from localcloud.pubsub import message as messages_
from localcloud.pubsub import names
from localcloud.pubsub.deadletter import dead_letter
from localcloud.pubsub.errors import already_exists, not_found
from localcloud.pubsub.message import StoredMessage
from localcloud.pubsub.protos import Proto
from localcloud.pubsub.snapshots import SnapshotState
from localcloud.pubsub.subscription import Subscription
from localcloud.pubsub.topic import Topic


class Broker:
    """Everything the emulator knows, without any way to talk to it.

    `tick` must be called now and then: leases, backoffs and retention end there.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.topics: dict[str, Topic] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.snapshots: dict[str, SnapshotState] = {}
        self.next_sequence = 1
        # Message ids grow over restarts too, as the service's do.
        self._id_base = int(clock.now().timestamp()) * 1_000_000
        self._numbers = 0

    def topic(self, name: str) -> Topic:
        """Return a topic; raise `INVALID_ARGUMENT` for a bad name, `NOT_FOUND` for an unknown one."""
        topic = self.topics.get(name)
        if topic is None:
            raise not_found(names.topic(name))
        return topic

    def subscription(self, name: str) -> Subscription:
        """Return a subscription; raise `INVALID_ARGUMENT` for a bad name, `NOT_FOUND` for an unknown one."""
        subscription = self.subscriptions.get(name)
        if subscription is None:
            raise not_found(names.subscription(name))
        return subscription

    def snapshot(self, name: str) -> SnapshotState:
        """Return a snapshot; raise `INVALID_ARGUMENT` for a bad name, `NOT_FOUND` for an unknown one."""
        snapshot = self.snapshots.get(name)
        if snapshot is None:
            raise not_found(names.snapshot(name))
        return snapshot

    def add_topic(self, resource: Proto) -> Topic:
        """Create a topic from a checked resource; raise `ALREADY_EXISTS`."""
        if resource.name in self.topics:
            raise already_exists(resource.name)
        topic = self.topics[resource.name] = Topic(resource)
        return topic

    def remove_topic(self, name: str) -> None:
        """Delete a topic; its subscriptions stay and deliver what they have."""
        topic = self.topic(name)
        del self.topics[name]
        for subscription in topic.subscriptions:
            subscription.lose_topic()
        for snapshot in topic.snapshots:
            snapshot.resource.topic = names.DELETED_TOPIC

    def add_subscription(self, resource: Proto) -> Subscription:
        """Create a subscription from a checked resource; raise `ALREADY_EXISTS` or `NOT_FOUND`."""
        if resource.name in self.subscriptions:
            raise already_exists(resource.name)
        topic = self.topic(resource.topic)
        self._numbers += 1
        subscription = Subscription(
            self._numbers, resource, topic, self.clock, partial(self._forward_dead_letter, resource.name)
        )
        subscription.configure(resource, self.next_sequence)
        self.subscriptions[resource.name] = subscription
        topic.subscriptions.append(subscription)
        return subscription

    def remove_subscription(self, name: str) -> None:
        """Delete a subscription and its backlog; open streams end."""
        subscription = self.subscription(name)
        del self.subscriptions[name]
        if subscription.topic is not None:
            subscription.topic.subscriptions.remove(subscription)
        subscription.deleted = True
        subscription.backlog.replace([])

    def add_snapshot(self, snapshot: SnapshotState) -> None:
        """Keep a snapshot; raise `ALREADY_EXISTS`."""
        if snapshot.resource.name in self.snapshots:
            raise already_exists(snapshot.resource.name)
        self.snapshots[snapshot.resource.name] = snapshot
        snapshot.topic.snapshots.append(snapshot)

    def remove_snapshot(self, name: str) -> None:
        """Delete a snapshot; raise `NOT_FOUND`."""
        snapshot = self.snapshot(name)
        del self.snapshots[name]
        snapshot.topic.snapshots.remove(snapshot)

    def publish(self, topic: Topic, protos: Sequence[Proto]) -> list[str]:
        """Publish checked messages; return their ids."""
        first = self.next_sequence
        stored = messages_.store(protos, first, self._id_base, self.clock.now())
        self.next_sequence += len(stored)
        topic.publish(stored, protos)
        base = self._id_base
        return [str(base + sequence) for sequence in range(first, self.next_sequence)]

    def _forward_dead_letter(self, subscription: str, message: StoredMessage, attempts: int) -> bool:
        source = self.subscriptions.get(subscription)
        if source is None:
            return False
        topic = self.topics.get(source.policy.dead_letter_topic)
        if topic is None:
            return False  # the service, too, goes on delivering what it can't forward
        self.publish(topic, [dead_letter(message, subscription, attempts)])
        return True

    def tick(self) -> None:
        """Let time pass in every subscription, topic and snapshot."""
        for subscription in tuple(self.subscriptions.values()):
            subscription.backlog.tick()
        now = self.clock.now().timestamp()
        for name in [name for name, snapshot in self.snapshots.items() if snapshot.expires <= now]:
            self.remove_snapshot(name)
        for topic in self.topics.values():
            topic.trim(now)
