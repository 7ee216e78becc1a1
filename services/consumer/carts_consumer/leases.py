"""Leases of the messages held: which are due to be extended, which were lost. Pure."""

from collections.abc import Iterator

from carts_consumer.chunk import Chunk


class LeaseBook:
    """All chunks that are held and not yet settled."""

    def __init__(self, lease_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self._chunks: dict[int, Chunk] = {}

    def add(self, chunk: Chunk) -> None:
        """Take responsibility for a chunk."""
        self._chunks[id(chunk)] = chunk

    def settle(self, chunk: Chunk) -> None:
        """Forget a chunk: it was acknowledged, given back or dropped. Settling twice is harmless."""
        chunk.settled = True
        self._chunks.pop(id(chunk), None)

    def due(self, now: float) -> list[Chunk]:
        """Return the chunks of which half the lease is gone and something is left to extend."""
        half = self._lease_seconds / 2
        return [chunk for chunk in self._chunks.values() if now < chunk.lease_until < now + half]

    def extended(self, chunk: Chunk, asked_at: float) -> None:
        """Note that a request sent at `asked_at` was confirmed."""
        chunk.lease_until = max(chunk.lease_until, asked_at + self._lease_seconds)

    def __iter__(self) -> Iterator[Chunk]:
        return iter(list(self._chunks.values()))

    def __len__(self) -> int:
        return len(self._chunks)

    @property
    def messages(self) -> int:
        """Return how many messages are held."""
        return sum(len(chunk.ack_ids) for chunk in self._chunks.values())

    @property
    def size(self) -> int:
        """Return how many payload bytes are held."""
        return sum(chunk.size for chunk in self._chunks.values())

    @property
    def oldest(self) -> float | None:
        """Return when the oldest chunk was received, in monotonic seconds."""
        return min((chunk.received_at for chunk in self._chunks.values()), default=None)
