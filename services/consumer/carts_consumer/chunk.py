"""A chunk: the messages of one answer of a streaming pull, what became of them, and the lease they share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from carts_consumer.decode import Decoded, Invalid
from carts_consumer.records import Records


@dataclass(slots=True, eq=False)
class Chunk:
    """Messages that came together. They are leased, extended, settled and dropped together.

    `size` is in bytes of payload. `lease_until` is in the clock's monotonic seconds and on the safe side: it counts
    from before the request that last extended it.
    """

    ack_ids: list[str]
    size: int
    received_at: float
    lease_until: float
    records: Records
    invalid: list[Invalid]
    settled: bool = field(default=False)

    @classmethod
    def of(
        cls, messages: Sequence[Any], decoded: Decoded, records: Records, *, now: float, lease_seconds: float
    ) -> "Chunk":
        """Return the chunk of an answer that arrived at `now`: what was decoded and what became of the valid part."""
        return cls(
            ack_ids=[message.ack_id for message in messages],
            size=decoded.size,
            received_at=now,
            lease_until=now + lease_seconds,
            records=records,
            invalid=decoded.invalid,
        )

    def release(self) -> Records:
        """Return the records, which the chunk holds no longer: a batch on its way out needs the memory but once."""
        released, self.records = self.records, Records()
        return released

    def lost(self, now: float) -> bool:
        """Return whether the lease may have run out: then Pub/Sub gives the messages to somebody again."""
        return now >= self.lease_until
