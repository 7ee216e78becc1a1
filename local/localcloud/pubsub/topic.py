"""A topic: the subscriptions that its messages fan out to, and the messages it retains for seeking back."""

from collections import deque
from collections.abc import Iterator, Sequence
from math import inf
from typing import TYPE_CHECKING

from localcloud.pubsub.message import StoredMessage
from localcloud.pubsub.policy import seconds
from localcloud.pubsub.protos import Proto

if TYPE_CHECKING:
    from localcloud.pubsub.snapshots import SnapshotState
    from localcloud.pubsub.subscription import Subscription


class Topic:
    """One topic.

    Messages are retained only while something can bring them back: the topic's own retention, a subscription
    that retains acknowledged messages, or a snapshot.
    """

    def __init__(self, resource: Proto) -> None:
        self.resource = resource
        self.subscriptions: list[Subscription] = []
        self.snapshots: list[SnapshotState] = []
        self.published = 0
        self._log: deque[StoredMessage] = deque()

    @property
    def name(self) -> str:
        """The full resource name."""
        return str(self.resource.name)

    @property
    def retention_seconds(self) -> float:
        """How long every subscription can seek back; 0 when the topic retains nothing itself."""
        return seconds(self.resource.message_retention_duration)

    def publish(self, messages: Sequence[StoredMessage], protos: Sequence[Proto]) -> None:
        """Retain the messages where needed, and line them up in each subscription whose filter they pass."""
        self.published += len(messages)
        if self._retains:
            self._log.extend(messages)
        for subscription in self.subscriptions:
            subscription.publish(messages, protos)

    @property
    def _retains(self) -> bool:
        return bool(
            self.retention_seconds
            or self.snapshots
            or any(subscription.retained_from is not None for subscription in self.subscriptions)
        )

    def trim(self, now: float) -> None:
        """Forget retained messages that nothing can bring back at `now` (seconds since the epoch)."""
        if not self._log:
            return
        spans = [subscription.policy.retention_seconds for subscription in self.subscriptions if subscription.retains]
        spans.append(self.retention_seconds)
        oldest = now - max(spans) if any(spans) else inf
        first = min((snapshot.next_sequence for snapshot in self.snapshots), default=None)
        while self._log:
            message = self._log[0]
            if message.published >= oldest or (first is not None and message.sequence >= first):
                return
            self._log.popleft()

    def retained(self) -> Iterator[StoredMessage]:
        """Yield the retained messages in the order of publishing."""
        return iter(self._log)

    @property
    def retained_count(self) -> int:
        """How many messages are retained."""
        return len(self._log)
