"""Snapshots: which messages of a subscription were unacknowledged at one moment."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from localcloud.pubsub.errors import Code, PubsubError
from localcloud.pubsub.message import StoredMessage
from localcloud.pubsub.policy import seconds
from localcloud.pubsub.protos import Proto
from localcloud.pubsub.protos import Snapshot as SnapshotResource
from localcloud.pubsub.topic import Topic

if TYPE_CHECKING:
    from localcloud.pubsub.subscription import Subscription

_LIFETIME = timedelta(days=7)
_SHORTEST_LIFETIME = timedelta(hours=1)


class SnapshotState:
    """One snapshot.

    Attributes:
        resource: the `Snapshot` as the API shows it.
        topic: the topic of the subscription it was made of; its log keeps what is published later.
        next_sequence: the sequence number of the first message that was published after the snapshot.
    """

    def __init__(self, resource: Proto, topic: Topic, unacked: list[StoredMessage], next_sequence: int) -> None:
        self.resource = resource
        self.topic = topic
        self.next_sequence = next_sequence
        self._unacked = unacked

    @property
    def expires(self) -> float:
        """When the snapshot goes away, in seconds since the epoch."""
        return seconds(self.resource.expire_time)

    def messages(self) -> Iterator[StoredMessage]:
        """Yield what a subscription has to deliver after seeking here, in the order of publishing."""
        yield from self._unacked
        for message in self.topic.retained():
            if message.sequence >= self.next_sequence:
                yield message


def take_snapshot(
    name: str, labels: Proto, subscription: "Subscription", next_sequence: int, now: float
) -> SnapshotState:
    """Make a snapshot of a subscription at the time `now` (seconds since the epoch).

    It lives for 7 days less the age of the oldest unacknowledged message.

    Raises:
        PubsubError: `FAILED_PRECONDITION` when that is under an hour, or when the subscription has no topic
            any more.
    """
    topic = subscription.topic
    if topic is None:
        raise PubsubError(
            Code.FAILED_PRECONDITION, f"Subscription has no topic any more (resource={subscription.name})."
        )
    unacked = subscription.backlog.unacked()
    age = now - unacked[0].published if unacked else 0.0
    lifetime = _LIFETIME.total_seconds() - age
    if lifetime < _SHORTEST_LIFETIME.total_seconds():
        raise PubsubError(
            Code.FAILED_PRECONDITION,
            "The snapshot would expire in under 1 hour, "
            "because the subscription's oldest unacknowledged message is too old.",
        )
    resource = SnapshotResource(name=name, topic=topic.name)
    resource.labels.update(labels)
    resource.expire_time.FromMilliseconds(int((now + lifetime) * 1000))
    return SnapshotState(resource, topic, unacked, next_sequence)


def check_same_topic(subscription: "Subscription", snapshot: SnapshotState) -> None:
    """Raise `FAILED_PRECONDITION` unless the snapshot belongs to the subscription's topic."""
    if subscription.topic is not snapshot.topic:
        raise PubsubError(
            Code.FAILED_PRECONDITION,
            f"The subscription's topic {subscription.resource.topic} is different from that of the snapshot "
            f"{snapshot.resource.topic}; they must match in order for Seek to work.",
        )
