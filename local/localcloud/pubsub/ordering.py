"""Ordering keys: the messages of one key reach one consumer at a time, in the order of publishing."""

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localcloud.pubsub.consumer import Consumer
    from localcloud.pubsub.leases import Entry


class KeyQueue:
    """The messages of one key in one subscription.

    `waiting` have yet to be delivered. `outstanding` were delivered to `owner`, oldest first, and stay until
    everything before them is settled, because the service redelivers a message together with all later ones
    of its key, acknowledged or not. `queued` says whether the queue stands in the subscription's line or
    waits out a backoff.
    """

    __slots__ = ("key", "outstanding", "owner", "queued", "waiting")

    def __init__(self, key: str) -> None:
        self.key = key
        self.waiting: deque[Entry] = deque()
        self.outstanding: deque[Entry] = deque()
        self.owner: Consumer | None = None
        self.queued = False

    def open_to(self, consumer: "Consumer") -> bool:
        """Whether this consumer may take the next message."""
        return self.owner is None or self.owner is consumer

    def deliver(self, consumer: "Consumer") -> "Entry":
        """Move the next message to `outstanding` and return it."""
        entry = self.waiting.popleft()
        self.outstanding.append(entry)
        self.owner = consumer
        return entry

    def settle(self) -> None:
        """Drop the settled messages that nothing unsettled precedes."""
        while self.outstanding and not self.outstanding[0].ack_id:
            self.outstanding.popleft()
        if not self.outstanding:
            self.owner = None

    def take_back(self, entry: "Entry") -> "list[Entry]":
        """Remove the entry and all later ones from `outstanding`, and return them, oldest first."""
        back: list[Entry] = []
        while not back or back[-1] is not entry:
            back.append(self.outstanding.pop())
        back.reverse()
        self.settle()
        return back

    def requeue(self, entries: "Sequence[Entry]") -> None:
        """Put entries before everything that waits, in their order."""
        self.waiting.extendleft(reversed(entries))

    @property
    def empty(self) -> bool:
        """Whether nothing of the key is left."""
        return not self.waiting and not self.outstanding
