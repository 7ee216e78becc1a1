"""A chunk: the messages of one answer of a streaming pull, and the lease they share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, eq=False)
class Chunk:
    """Messages that came together. They are leased, extended, settled and dropped together.

    `messages` are protobuf `ReceivedMessage`s. `lease_until` is in the clock's monotonic seconds and on the safe
    side: it counts from before the request that last extended it.
    """

    messages: Sequence[Any]
    ack_ids: list[str]
    size: int
    received_at: float
    lease_until: float
    settled: bool = field(default=False)

    @classmethod
    def of(cls, messages: Sequence[Any], *, now: float, lease_seconds: float) -> "Chunk":
        """Return the chunk of an answer that arrived at `now`."""
        return cls(
            messages=messages,
            ack_ids=[message.ack_id for message in messages],
            size=sum([len(message.message.data) for message in messages]),
            received_at=now,
            lease_until=now + lease_seconds,
        )

    def lost(self, now: float) -> bool:
        """Return whether the lease may have run out: then Pub/Sub gives the messages to somebody again."""
        return now >= self.lease_until
