"""The delivery machine of one subscription: what waits, what is leased, and what comes back when.

Pure and synchronous; time comes from the clock that is passed in.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from dataplatform.clock import Clock
from localcloud.pubsub import wire
from localcloud.pubsub.consumer import Consumer
from localcloud.pubsub.leases import Entry, LeaseTable
from localcloud.pubsub.line import Line
from localcloud.pubsub.message import StoredMessage
from localcloud.pubsub.policy import Policy

type DeadLetter = Callable[[StoredMessage, int], bool]
"""Forwards a message that was delivered so many times. False means that it can't be, and stays."""


class Delivery(NamedTuple):
    """What one `take` hands out: the bytes of `repeated ReceivedMessage`, and how many messages they hold."""

    payload: bytes
    messages: int


class Counts(NamedTuple):
    """`ready` and `leased` are what is there now, the others count since the subscription was made.

    `ready` includes what waits out a backoff.
    """

    ready: int
    leased: int
    delivered: int
    acked: int
    dead_lettered: int
    leases_expired: int


class Backlog:
    """The unacknowledged messages of one subscription.

    Args:
        number: makes the ack ids of this subscription its own.
        policy: may be replaced at any time, except for `ordered`.
        clock: leases count in its monotonic seconds, retention in its wall-clock time.
        dead_letter: called with a message whose attempts are used up.
    """

    def __init__(self, number: int, policy: Policy, clock: Clock, dead_letter: DeadLetter) -> None:
        self.policy = policy
        self._clock = clock
        self._dead_letter = dead_letter
        self._line = Line(ordered=policy.ordered)
        self._leases = LeaseTable(number)
        self._consumers: deque[Consumer] = deque()
        self._unacked = self._delivered = self._acked = self._dead_lettered = self._expired = 0

    def attach(self, consumer: Consumer) -> None:
        """Wake this consumer from now on."""
        self._consumers.append(consumer)

    def detach(self, consumer: Consumer) -> None:
        """Wake it no more. What it was given stays leased until it is settled or the lease expires."""
        self._consumers.remove(consumer)
        self.wake()

    def wake(self) -> None:
        """Tell the consumers that there may be something to take, each time another one first."""
        self._consumers.rotate(-1)
        for consumer in tuple(self._consumers):
            consumer.wake()

    def add(self, messages: Sequence[StoredMessage]) -> None:
        """Line up newly published messages."""
        self._line.add(messages)
        self._unacked += len(messages)
        self.wake()

    def take(self, consumer: Consumer, max_messages: int, max_bytes: int) -> Delivery | None:
        """Lease messages to a consumer, as many as both bounds and its flow control let through.

        A message always goes to a consumer that has none, even when it exceeds the byte bounds. None means
        that there is nothing to take now.
        """
        room = min(max_messages, consumer.max_messages - consumer.messages)
        byte_room = min(max_bytes, consumer.max_bytes - consumer.bytes)
        if not self._line or room <= 0 or byte_room <= 0:
            return None
        if len(self._consumers) > 1 and not self.policy.ordered:
            takers = sum(other.has_room for other in self._consumers)
            room = min(room, -(-len(self._line) // max(takers, 1)))
        entries, size, dropped = self._line.select(consumer, room, byte_room, self._oldest_kept())
        self._unacked -= dropped
        if not entries:
            return None
        deadline = self._clock.monotonic() + consumer.ack_deadline_seconds
        ack_ids = self._leases.grant(entries, consumer, deadline)
        consumer.messages += len(entries)
        consumer.bytes += size
        self._delivered += len(entries)
        counted = bool(self.policy.max_attempts)
        payload = b"".join(
            [
                wire.received(ack_id.encode(), entry.message.framed, entry.attempt if counted else 0)
                for ack_id, entry in zip(ack_ids, entries, strict=True)
            ]
        )
        return Delivery(payload, len(entries))

    def _oldest_kept(self) -> float:
        return self._clock.now().timestamp() - self.policy.retention_seconds

    def acknowledge(self, ack_ids: Sequence[str]) -> list[str]:
        """Forget the messages; return the ids whose lease had ended already.

        Raises:
            PubsubError: `INVALID_ARGUMENT` for an id that this subscription never gave out; nothing is done
                then.
        """
        entries, stale = self._leases.split(ack_ids)
        self._leases.end(entries)
        self._unacked -= len(entries)
        self._acked += len(entries)
        for entry in entries:
            if entry.key_queue is not None:
                self._line.settled(entry.key_queue)
        if entries:
            self.wake()
        return stale

    def extend(self, ack_ids: Sequence[str], seconds: float) -> list[str]:
        """Move the deadlines of the leases to `seconds` from now; 0 gives the messages back at once (a nack).

        Returns the ids whose lease had ended already; raises like `acknowledge`.
        """
        entries, stale = self._leases.split(ack_ids)
        if seconds > 0:
            if entries:
                self._leases.prolong(entries, self._clock.monotonic() + seconds)
        else:
            self._give_back(entries)
        return stale

    def tick(self) -> None:
        """Let time pass: expire leases, end backoffs, drop what is older than the retention."""
        now = self._clock.monotonic()
        expired = self._leases.expired(now)
        self._expired += len(expired)
        self._give_back(expired)
        if self._line.end_backoffs(now):
            self.wake()
        if self._line:
            self._unacked -= self._line.drop_older(self._oldest_kept())

    def _give_back(self, entries: Sequence[Entry]) -> None:
        now = self._clock.monotonic()
        for entry in entries:
            if not entry.ack_id:
                continue  # it went back with an earlier message of its key
            self._leases.end((entry,))
            limit = self.policy.max_attempts
            if limit and entry.attempt >= limit and self._dead_letter(entry.message, entry.attempt):
                self._dead_lettered += 1
                self._unacked -= 1
                if entry.key_queue is not None:
                    self._line.settled(entry.key_queue)
                continue
            backoff = self.policy.backoff
            ready_at = now + backoff.seconds(entry.attempt) if backoff else None
            if entry.key_queue is None:
                self._line.give_back(entry, ready_at)
            else:
                self._give_back_key(entry, ready_at)
        if entries:
            self.wake()

    def _give_back_key(self, entry: Entry, ready_at: float | None) -> None:
        queue = entry.key_queue
        if queue is None:
            return
        first, *later = queue.take_back(entry)
        back = [first]
        for other in later:
            if other.ack_id:
                self._leases.end((other,))
                back.append(other)
            elif not self.policy.exactly_once:
                self._unacked += 1  # acknowledged, but it follows a message that comes again
                back.append(other)
        self._line.give_back_key(queue, back, ready_at)

    def unacked(self) -> list[StoredMessage]:
        """Return every message that is not acknowledged, leased ones too, in the order of publishing."""
        messages = [entry.message for entry in self._leases]
        messages.extend(self._line.messages())
        messages.sort(key=lambda message: message.sequence)
        return messages

    def replace(self, messages: Sequence[StoredMessage]) -> None:
        """Acknowledge everything and line up these messages as if they were new; all ack ids become stale."""
        self._leases.end(list(self._leases))
        self._line = Line(ordered=self.policy.ordered)
        self._line.add(messages)
        self._unacked = len(messages)
        self.wake()

    def counts(self) -> Counts:
        """Return what is there and what has happened."""
        leased = len(self._leases)
        return Counts(self._unacked - leased, leased, self._delivered, self._acked, self._dead_lettered, self._expired)
