"""What the poller remembers of one source, in memory: the carts, the changes that are not published, the requests."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from carts_poller.changes import Change
from carts_poller.event import Event
from carts_poller.table import Carts

#: How long a record of a push request is known again: as long as its key is, and longer than its signature counts.
REQUEST_MICROSECONDS = 600_000_000
_MAX_REQUESTS = 500_000


@dataclass(frozen=True, slots=True)
class Segment:
    """Events that are saved under one number of the journal and still to be published."""

    sequence: int
    events: tuple[Event, ...]


class Requests:
    """The records of push requests that were taken in, for ten minutes, 500,000 of them at most (60 MB)."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}

    def __contains__(self, request: str) -> bool:
        return int(request, 16) in self._seen

    def add(self, request: str, accepted_at: int) -> None:
        """Remember a record, by its 16 hexadecimal characters, that was accepted at a time in µs since 1970."""
        self._seen[int(request, 16)] = accepted_at
        while self._seen:
            oldest = next(iter(self._seen))
            if len(self._seen) <= _MAX_REQUESTS and self._seen[oldest] > accepted_at - REQUEST_MICROSECONDS:
                break
            del self._seen[oldest]

    def items(self) -> list[tuple[str, int]]:
        """Return what is remembered, oldest first."""
        return [(f"{request:016x}", accepted_at) for request, accepted_at in self._seen.items()]


@dataclass(slots=True)
class State:
    """One source's state. `epoch` is when it began, in ms since 1970; versions count within it.

    `sequence` is the number of the last segment of the journal, whose changes `carts` contains. `pending` are the
    segments whose publishing is not confirmed, oldest first.
    """

    source: str
    epoch: int
    sequence: int = 0
    carts: Carts = field(default_factory=Carts)
    pending: deque[Segment] = field(default_factory=deque)
    requests: Requests = field(default_factory=Requests)

    @property
    def confirmed(self) -> int:
        """Return the number up to which all segments are published."""
        return self.pending[0].sequence - 1 if self.pending else self.sequence

    def take(self, changes: Iterable[Change], requests: Iterable[tuple[str, int]]) -> None:
        """Take changes and requests, which are durable, into what is known."""
        for change in changes:
            self.carts.put(change.event.cart_id, change.known)
        for request, accepted_at in requests:
            self.requests.add(request, accepted_at)
