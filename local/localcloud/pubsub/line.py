"""The line of one subscription: the messages that wait for delivery, at once or after a backoff."""

from collections import deque
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from itertools import chain, count
from typing import NamedTuple

from localcloud.pubsub.consumer import Consumer
from localcloud.pubsub.leases import Entry
from localcloud.pubsub.message import StoredMessage
from localcloud.pubsub.ordering import KeyQueue

type _Waiting = StoredMessage | Entry | KeyQueue


class Selection(NamedTuple):
    """What `Line.select` took out: entries for the consumer, their bytes, and how many were too old."""

    entries: list[Entry]
    size: int
    dropped: int


class Line:
    """What waits, in the order in which it will go out.

    A message waits as it was published and becomes an `Entry` with its first delivery, so that a long backlog
    costs little. Messages with an ordering key wait in the `KeyQueue` of their key, and that queue stands in
    the line.

    Args:
        ordered: whether ordering keys mean something.
    """

    def __init__(self, *, ordered: bool) -> None:
        self._ordered = ordered
        self._ready: deque[_Waiting] = deque()
        self._delayed: list[tuple[float, int, Entry | KeyQueue]] = []
        self._tie = count()
        self._keys: dict[str, KeyQueue] = {}

    def __len__(self) -> int:
        return len(self._ready)

    def add(self, messages: Sequence[StoredMessage]) -> None:
        """Append newly published messages."""
        if not self._ordered:
            self._ready.extend(messages)
            return
        for message in messages:
            key = message.ordering_key
            if not key:
                self._ready.append(message)
                continue
            queue = self._keys.get(key)
            if queue is None:
                queue = self._keys[key] = KeyQueue(key)
            queue.waiting.append(Entry(message, queue))
            if not queue.queued:
                queue.queued = True
                self._ready.append(queue)

    def select(self, consumer: Consumer, room: int, byte_room: int, oldest: float) -> Selection:
        """Take out what goes to a consumer now.

        Args:
            consumer: who takes; the keys that another one holds are passed over.
            room: messages at most.
            byte_room: bytes at most, except that a message always goes to a consumer that has none.
            oldest: messages published before this (seconds since the epoch) are dropped.
        """
        ready = self._ready
        entries: list[Entry] = []
        held: list[KeyQueue] = []
        size = dropped = 0
        while ready and len(entries) < room:
            head = ready[0]
            if isinstance(head, StoredMessage):
                message = head
            elif isinstance(head, Entry):
                message = head.message
            elif head.open_to(consumer):
                message = head.waiting[0].message
            else:
                ready.popleft()
                held.append(head)
                continue
            if message.published < oldest:
                self._drop_head()
                dropped += 1
                continue
            if size + message.size > byte_room and (entries or consumer.messages):
                break
            if isinstance(head, KeyQueue):
                entries.append(head.deliver(consumer))
                if not head.waiting:
                    head.queued = False
                    ready.popleft()
            else:
                ready.popleft()
                entries.append(Entry(head) if isinstance(head, StoredMessage) else head)
            size += message.size
        ready.extendleft(reversed(held))
        return Selection(entries, size, dropped)

    def _drop_head(self) -> None:
        head = self._ready[0]
        if isinstance(head, KeyQueue):
            head.waiting.popleft()
            if head.waiting:
                return
            head.queued = False
            self._forget_if_empty(head)
        self._ready.popleft()

    def drop_older(self, oldest: float) -> int:
        """Drop from the head what is older than `oldest` (seconds since the epoch); return how many."""
        dropped = 0
        while self._ready:
            head = self._ready[0]
            message = head if isinstance(head, StoredMessage) else None
            if isinstance(head, Entry):
                message = head.message
            elif isinstance(head, KeyQueue):
                message = head.waiting[0].message
            if message is None or message.published >= oldest:
                break
            self._drop_head()
            dropped += 1
        return dropped

    def settled(self, queue: KeyQueue) -> None:
        """Note that a message of this key was settled: the key may be free for other consumers, or gone."""
        queue.settle()
        self._forget_if_empty(queue)

    def _forget_if_empty(self, queue: KeyQueue) -> None:
        if queue.empty and self._keys.get(queue.key) is queue:
            del self._keys[queue.key]

    def give_back(self, entry: Entry, ready_at: float | None) -> None:
        """Line up a message without ordering key again, after its backoff (monotonic seconds), if any."""
        if ready_at is None:
            self._ready.append(entry)
        else:
            heappush(self._delayed, (ready_at, next(self._tie), entry))

    def give_back_key(self, queue: KeyQueue, entries: Sequence[Entry], ready_at: float | None) -> None:
        """Line up messages of one key again, before all that wait of it."""
        queue.requeue(entries)
        if queue.queued and ready_at is not None and queue in self._ready:
            self._ready.remove(queue)
            queue.queued = False
        if queue.queued:
            return
        queue.queued = True
        if ready_at is None:
            self._ready.append(queue)
        else:
            heappush(self._delayed, (ready_at, next(self._tie), queue))

    def end_backoffs(self, now: float) -> bool:
        """Line up what has waited out its backoff; return whether there was any."""
        ended = False
        while self._delayed and self._delayed[0][0] <= now:
            self._ready.append(heappop(self._delayed)[2])
            ended = True
        return ended

    def messages(self) -> Iterator[StoredMessage]:
        """Yield every message that waits, in no particular order."""
        for waiting in chain(self._ready, (item[2] for item in self._delayed)):
            if isinstance(waiting, StoredMessage):
                yield waiting
            elif isinstance(waiting, Entry):
                yield waiting.message
            else:
                for entry in waiting.waiting:
                    yield entry.message
