"""Leases: which delivered messages come back when, without holding on to acknowledged ones."""

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from localcloud.pubsub.errors import invalid

if TYPE_CHECKING:
    from localcloud.pubsub.consumer import Consumer
    from localcloud.pubsub.message import StoredMessage
    from localcloud.pubsub.ordering import KeyQueue

_COMPACT_ABOVE = 1_000


class Entry:
    """One message in one subscription, from its first delivery (or, with an ordering key, its publishing) on.

    `ack_id` is empty and `consumer` and `lease` are None while it is not leased.
    """

    __slots__ = ("ack_id", "attempt", "consumer", "key_queue", "lease", "message")

    def __init__(self, message: "StoredMessage", key_queue: "KeyQueue | None" = None) -> None:
        self.message = message
        self.key_queue = key_queue
        self.attempt = 0
        self.ack_id = ""
        self.consumer: Consumer | None = None
        self.lease: Lease | None = None


class Lease:
    """A deadline that several messages were given together; `ack_ids` are those that still have it."""

    __slots__ = ("ack_ids", "deadline")

    def __init__(self, deadline: float, ack_ids: dict[str, None]) -> None:
        self.deadline = deadline
        self.ack_ids = ack_ids


class LeaseTable:
    """The leased messages of one subscription, by ack id, with their deadlines in monotonic seconds.

    Args:
        number: the subscription's own, so that no other one's ack id is taken for one of these.
    """

    def __init__(self, number: int) -> None:
        self._prefix = f"{number:x}-"
        self._numbers = count(1)
        self._tie = count()
        self._entries: dict[str, Entry] = {}
        self._heap: list[tuple[float, int, Lease]] = []
        self._ended = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def grant(self, entries: Sequence[Entry], consumer: "Consumer", deadline: float) -> list[str]:
        """Lease the entries to a consumer, each under a new ack id, and return those ids."""
        prefix, numbers, table = self._prefix, self._numbers, self._entries
        ack_ids = [f"{prefix}{number:x}" for number, _ in zip(numbers, entries, strict=False)]
        lease = Lease(deadline, dict.fromkeys(ack_ids))
        for ack_id, entry in zip(ack_ids, entries, strict=True):
            entry.ack_id = ack_id
            entry.attempt += 1
            entry.consumer = consumer
            entry.lease = lease
            table[ack_id] = entry
        heappush(self._heap, (deadline, next(self._tie), lease))
        return ack_ids

    def split(self, ack_ids: Sequence[str]) -> tuple[list[Entry], list[str]]:
        """Return the entries that these ids lease, without doubles, and the ids that lease nothing any more.

        Raises:
            PubsubError: `INVALID_ARGUMENT` for an id that this subscription never gave out.
        """
        table = self._entries
        entries = [table[ack_id] for ack_id in dict.fromkeys(ack_ids) if ack_id in table]
        if len(entries) == len(ack_ids):
            return entries, []
        stale = [ack_id for ack_id in dict.fromkeys(ack_ids) if ack_id not in table]
        for ack_id in stale:
            self._check(ack_id)
        return entries, stale

    def _check(self, ack_id: str) -> None:
        prefix, dash, number = ack_id.partition("-")
        try:
            int(prefix, 16), int(number, 16)
        except ValueError:
            raise invalid(f"You have passed an invalid ack ID to the service (ack_id={ack_id}).") from None
        if prefix + dash != self._prefix:
            raise invalid(f"You have passed a subscription that does not belong to the given ack ID (ack_id={ack_id}).")

    def prolong(self, entries: Sequence[Entry], deadline: float) -> None:
        """Give leased entries a new deadline."""
        for entry in entries:
            self._leave(entry)
        lease = Lease(deadline, dict.fromkeys([entry.ack_id for entry in entries]))
        for entry in entries:
            entry.lease = lease
        heappush(self._heap, (deadline, next(self._tie), lease))

    def end(self, entries: Sequence[Entry]) -> None:
        """End the leases of the entries: their ack ids become stale, and flow control has room again."""
        table = self._entries
        for entry in entries:
            del table[entry.ack_id]
            self._leave(entry)
            entry.ack_id = ""
            consumer = entry.consumer
            if consumer is not None:
                consumer.messages -= 1
                consumer.bytes -= entry.message.size
                entry.consumer = None
        if not table:
            table.clear()  # a dictionary that only loses items keeps the room of its largest time

    def _leave(self, entry: Entry) -> None:
        lease = entry.lease
        if lease is None:
            return
        entry.lease = None
        del lease.ack_ids[entry.ack_id]
        if not lease.ack_ids:
            lease.ack_ids.clear()  # gives back the room that deleting leaves
            # Its place in the heap stays until the deadline, which may be 600 s away: bound how many such
            # there are.
            self._ended += 1
            if self._ended > _COMPACT_ABOVE and self._ended * 2 > len(self._heap):
                self._heap = [item for item in self._heap if item[2].ack_ids]
                heapify(self._heap)
                self._ended = 0

    def expired(self, now: float) -> list[Entry]:
        """Return the entries whose deadline is past, earliest first. They stay leased until `end`."""
        due: list[Entry] = []
        while self._heap and self._heap[0][0] <= now:
            lease = heappop(self._heap)[2]
            if not lease.ack_ids:
                self._ended -= 1
            for ack_id in lease.ack_ids:
                entry = self._entries[ack_id]
                entry.lease = None
                due.append(entry)
        return due
