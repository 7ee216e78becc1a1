"""A subscription: its resource, its filter, its backlog, and what seeking does to it."""

from collections.abc import Iterable, Sequence

from dataplatform.clock import Clock
from localcloud.pubsub.backlog import Backlog, DeadLetter
from localcloud.pubsub.errors import Code, PubsubError, not_found
from localcloud.pubsub.filters import compile_filter
from localcloud.pubsub.message import StoredMessage
from localcloud.pubsub.names import DELETED_TOPIC
from localcloud.pubsub.policy import Policy
from localcloud.pubsub.protos import Proto
from localcloud.pubsub.protos import Subscription as SubscriptionResource
from localcloud.pubsub.topic import Topic


class Subscription:
    """One subscription.

    Attributes:
        resource: the `Subscription` as the API shows it.
        topic: None once the topic is deleted or the subscription is detached.
        backlog: its unacknowledged messages.
        retained_from: the first sequence number whose acknowledged message can be sought back to, or None.
        deleted: whether the subscription itself is gone; open streams end then.
    """

    def __init__(self, number: int, resource: Proto, topic: Topic, clock: Clock, dead_letter: DeadLetter) -> None:
        self.resource = resource
        self.topic: Topic | None = topic
        self.deleted = False
        self.retained_from: int | None = None
        self._clock = clock
        self._filter = compile_filter(resource.filter) if resource.filter else None
        self.backlog = Backlog(number, Policy.of(resource), clock, dead_letter)

    @property
    def name(self) -> str:
        """The full resource name."""
        return str(self.resource.name)

    @property
    def policy(self) -> Policy:
        """The delivery rules."""
        return self.backlog.policy

    @property
    def retains(self) -> bool:
        """Whether acknowledged messages are retained."""
        return self.retained_from is not None

    def configure(self, resource: Proto, next_sequence: int) -> None:
        """Take over a changed resource; retention starts at `next_sequence` when it is switched on by it."""
        self.resource = resource
        self.backlog.policy = Policy.of(resource)
        if not self.policy.retain_acked:
            self.retained_from = None
        elif self.retained_from is None:
            self.retained_from = next_sequence
        self.backlog.wake()

    def publish(self, messages: Sequence[StoredMessage], protos: Sequence[Proto]) -> None:
        """Line up the messages whose attributes (in `protos`, at the same index) pass the filter."""
        accepts = self._filter
        if accepts is not None:
            messages = [message for message, proto in zip(messages, protos, strict=True) if accepts(proto.attributes)]
        if messages:
            self.backlog.add(messages)

    def check_open(self) -> None:
        """Raise when nothing can be pulled: `NOT_FOUND` once deleted, `FAILED_PRECONDITION` once detached."""
        if self.deleted:
            raise not_found(self.name)
        if self.resource.detached:
            raise PubsubError(
                Code.FAILED_PRECONDITION,
                f"Subscription has been detached from its topic (resource={self.name}).",
            )

    def lose_topic(self) -> None:
        """Go on without the deleted topic: what is in the backlog is still delivered."""
        self.topic = None
        self.resource.topic = DELETED_TOPIC

    def detach(self) -> None:
        """Let go of the topic and drop the backlog."""
        if self.topic is not None:
            self.topic.subscriptions.remove(self)
        self.topic = None
        self.resource.detached = True
        self.retained_from = None
        self.backlog.replace([])

    def seek_time(self, moment: float) -> None:
        """Make everything published before `moment` (seconds since the epoch) acknowledged, and all else not.

        Acknowledged messages come back as far as the subscription or the topic retained them.
        """
        kept = {message.sequence: message for message in self.backlog.unacked() if message.published >= moment}
        for message in self._retained():
            if message.published >= moment:
                kept[message.sequence] = message
        self.backlog.replace([kept[sequence] for sequence in sorted(kept)])

    def seek_messages(self, messages: Iterable[StoredMessage]) -> None:
        """Make exactly these messages unacknowledged, as far as they pass the filter."""
        self.backlog.replace([message for message in messages if self._accepts(message)])

    def _accepts(self, message: StoredMessage) -> bool:
        return self._filter is None or self._filter(message.proto().attributes)

    def _retained(self) -> Iterable[StoredMessage]:
        if self.topic is None:
            return
        now = self._clock.now().timestamp()
        topic_retention = self.topic.retention_seconds
        for message in self.topic.retained():
            age = now - message.published
            by_topic = topic_retention and age <= topic_retention
            first = self.retained_from
            by_itself = first is not None and message.sequence >= first and age <= self.policy.retention_seconds
            if (by_topic or by_itself) and self._accepts(message):
                yield message

    def shown(self) -> Proto:
        """Return the resource as a client sees it, with the topic's retention in it."""
        shown = SubscriptionResource()
        shown.CopyFrom(self.resource)
        if self.topic is not None and self.topic.retention_seconds:
            shown.topic_message_retention_duration.CopyFrom(self.topic.resource.message_retention_duration)
        return shown
