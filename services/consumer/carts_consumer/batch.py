"""A batch: what is archived, appended and acknowledged together. Pure."""

from dataclasses import dataclass, field
from typing import Literal

from carts_consumer.chunk import Chunk

Reason = Literal["rows", "bytes", "age", "shutdown"]


@dataclass(slots=True, eq=False)
class Batch:
    """Whole chunks, and why the batch was closed."""

    reason: Reason
    chunks: list[Chunk] = field(default_factory=list)

    @property
    def messages(self) -> int:
        """Return how many messages the batch holds, valid or not."""
        return sum(len(chunk.ack_ids) for chunk in self.chunks)

    def lost(self, now: float) -> bool:
        """Return whether the lease of any chunk may have run out."""
        return any(chunk.lost(now) for chunk in self.chunks)

    def drop_lost(self, now: float) -> list[Chunk]:
        """Take out and return the chunks whose lease ran out: their messages will come again."""
        lost = [chunk for chunk in self.chunks if chunk.lost(now)]
        if lost:
            self.chunks = [chunk for chunk in self.chunks if not chunk.lost(now)]
        return lost


class BatchBuilder:
    """Collects chunks until one of the bounds is reached."""

    def __init__(self, *, max_rows: int, max_bytes: int, max_age_seconds: float) -> None:
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._max_age = max_age_seconds
        self._chunks: list[Chunk] = []
        self._rows = 0
        self._bytes = 0

    def add(self, chunk: Chunk) -> None:
        """Put a chunk into the open batch."""
        self._chunks.append(chunk)
        self._rows += len(chunk.ack_ids)
        self._bytes += chunk.size

    def due(self, now: float) -> Reason | None:
        """Return why the open batch should be flushed now, or None."""
        if not self._chunks:
            return None
        if self._rows >= self._max_rows:
            return "rows"
        if self._bytes >= self._max_bytes:
            return "bytes"
        if now >= self.due_at:
            return "age"
        return None

    @property
    def due_at(self) -> float:
        """Return when the open batch is old enough, in monotonic seconds; infinity when there is none."""
        return self._chunks[0].received_at + self._max_age if self._chunks else float("inf")

    def take(self, reason: Reason) -> Batch:
        """Close the open batch and return it."""
        batch = Batch(reason, self._chunks)
        self._chunks, self._rows, self._bytes = [], 0, 0
        return batch

    def __bool__(self) -> bool:
        return bool(self._chunks)
