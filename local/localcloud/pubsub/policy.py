"""The delivery rules of a subscription, read once from its resource."""

from dataclasses import dataclass
from typing import Self

from localcloud.pubsub.protos import Proto


@dataclass(frozen=True, slots=True)
class Backoff:
    """The wait before a redelivery: it doubles from `minimum` seconds with each attempt, up to `maximum`."""

    minimum: float
    maximum: float

    def seconds(self, attempt: int) -> float:
        """Return the wait after delivery number `attempt` (from 1) came back."""
        return min(self.maximum, self.minimum * 2.0 ** min(max(attempt - 1, 0), 30))


@dataclass(frozen=True, slots=True)
class Policy:
    """What delivery has to know.

    Attributes:
        ack_deadline_seconds: the lease that a pull gives.
        retention_seconds: an unacknowledged message older than this is dropped.
        retain_acked: whether acknowledged messages can be sought back to, within the retention.
        ordered: whether ordering keys mean something.
        exactly_once: whether a stale ack id is an error.
        dead_letter_topic: empty without dead letters.
        max_attempts: deliveries before a message becomes a dead letter; 0 without dead letters.
        backoff: None redelivers at once.
    """

    ack_deadline_seconds: float = 10
    retention_seconds: float = 7 * 86_400
    retain_acked: bool = False
    ordered: bool = False
    exactly_once: bool = False
    dead_letter_topic: str = ""
    max_attempts: int = 0
    backoff: Backoff | None = None

    @classmethod
    def of(cls, resource: Proto) -> Self:
        """Read the rules from a `Subscription` whose defaults are filled in."""
        backoff = None
        if resource.HasField("retry_policy"):
            retry = resource.retry_policy
            backoff = Backoff(seconds(retry.minimum_backoff), seconds(retry.maximum_backoff))
        dead_letters = resource.dead_letter_policy
        return cls(
            ack_deadline_seconds=resource.ack_deadline_seconds,
            retention_seconds=seconds(resource.message_retention_duration),
            retain_acked=resource.retain_acked_messages,
            ordered=resource.enable_message_ordering,
            exactly_once=resource.enable_exactly_once_delivery,
            dead_letter_topic=dead_letters.dead_letter_topic,
            max_attempts=dead_letters.max_delivery_attempts if dead_letters.dead_letter_topic else 0,
            backoff=backoff,
        )


def seconds(duration: Proto) -> float:
    """Return a `Duration` or `Timestamp` as seconds."""
    return float(duration.seconds + duration.nanos / 1e9)
