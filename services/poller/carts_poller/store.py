"""Where the state lives: a head, a journal and a base in the bucket, written by one poller at a time.

    _state/poller/{source}/head.json                            who may write, where to begin to read
    _state/poller/{source}/{epoch}/log/{sequence}.gz            a segment of the journal
    _state/poller/{source}/{epoch}/base/{sequence}-{digest}.gz  a shard of a base

The head holds a lease, so that a second poller stands by and takes over when the first one dies. The lease is a
courtesy: what keeps two pollers from telling one change twice is that a segment can be created only once. A poller
that was frozen beyond its lease finds the next number taken, and begins to read again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import batched

from carts_poller.changes import Change
from carts_poller.journal import (
    Head,
    add_shard,
    decode_head,
    decode_segment,
    encode_head,
    encode_segment,
    encode_shards,
)
from carts_poller.state import Segment, State
from dataplatform.clock import Clock
from dataplatform.errors import BusyError, InvalidDataError
from dataplatform.logs import logger
from dataplatform.rawzone import RawZone, digest

#: A base is written when the journal since the last one has so many segments, or so many changes.
_MAX_SEGMENTS = 200
_MIN_CHANGES = 50_000
_READ_AHEAD = 8


class CorruptStateError(InvalidDataError):
    """The state can't be used; no poll can succeed before a person has mended it."""


@dataclass(frozen=True, slots=True)
class Held:
    """Another poller holds the lease, for so many seconds more."""

    by: str
    seconds: float


class StateStore:
    """The state of one source, for one poller that calls itself `holder`."""

    def __init__(self, zone: RawZone, source: str, clock: Clock, *, holder: str, lease_seconds: float) -> None:
        """`holder` must be another one for every process."""
        self._zone = zone
        self._source = source
        self._clock = clock
        self._holder = holder
        self.lease_seconds = lease_seconds
        self.folder = f"_state/poller/{source}"
        self.head = f"{self.folder}/head.json"
        self._current = Head(source, 0)
        self._generation = 0
        self._opened: State | None = None
        self._writing = asyncio.Lock()
        self._segments = 0
        self._changes = 0

    async def open(self) -> State | Held:
        """Take the lease and return the state; a new one with its own epoch when there is none.

        Return who holds the lease when it is another poller.

        Raises:
            CorruptStateError: an object can't be read; the sentence says how to mend it.
            UnavailableError: the bucket did not answer within the retry deadline.
        """
        # A write that began before sees nothing of this one, and must not be mixed with it.
        async with self._writing:
            self._opened = None
            while True:
                found = await self._zone.read(self.head)
                now = _milliseconds(self._clock.now())
                if found is None:
                    head = Head(self._source, epoch=now)
                else:
                    head = self._decoded(found.data)
                    if head.holder != self._holder and head.expires_at > now:
                        return Held(head.holder, (head.expires_at - now) / 1000)
                self._generation = found.generation if found else 0
                if await self._put(head, self.lease_seconds):
                    break
            if found is None:
                logger().warning(
                    "no state found, a new epoch begins with every cart as created",
                    state=self._zone.uri(self.head),
                    epoch=head.epoch,
                )
            self._opened = state = await self.read(self._current)
            return state

    async def read(self, head: Head) -> State:
        """Return the state that a head leads to, without taking the lease. Raises what `open` raises."""
        state = State(head.source, head.epoch, head.base)
        async for name, data in self._objects(list(head.shards)):
            self._checked(name, partial(add_shard, data, state))
        last = self._segment(head.epoch, head.base)
        names = [name for name in await self._zone.names(self._log(head.epoch)) if name > last]
        self._segments, self._changes = len(names), 0
        async for name, data in self._objects(names):
            sequence = state.sequence + 1
            if name != self._segment(state.epoch, sequence):
                raise self._corrupt(self._segment(state.epoch, sequence), ValueError("it is missing"))
            changes, requests = self._checked(name, partial(decode_segment, data, state, sequence))
            state.sequence = sequence
            state.take(changes, requests)
            self._changes += len(changes)
            if sequence > head.confirmed:
                state.pending.append(Segment(sequence, tuple([change.event for change in changes])))
        return state

    async def append(self, state: State, changes: list[Change], requests: list[tuple[str, int]]) -> None:
        """Make changes durable as the next segment of the journal; from now on they are pending.

        The caller takes them into the table of carts.

        Raises:
            BusyError: another poller has written the segment; the state was not altered.
            UnavailableError: the bucket did not answer within the retry deadline; nobody knows whether it is written.
        """
        sequence = state.sequence + 1
        data = await asyncio.to_thread(encode_segment, state, sequence, self._holder, changes, requests)
        try:
            await self._zone.create(self._segment(state.epoch, sequence), data)
        except InvalidDataError as error:
            raise self._busy() from error
        await self._check_place(state, sequence)
        state.sequence = sequence
        state.pending.append(Segment(sequence, tuple([change.event for change in changes])))
        self._segments += 1
        self._changes += len(changes)

    async def renew(self, state: State) -> None:
        """Hold the lease for its time from now on, and write up to where everything is published.

        Raises:
            BusyError: another poller has taken the lease; this one must open the state again.
            UnavailableError: the bucket did not answer within the retry deadline.
        """
        await self._write(state, lambda head: replace(head, confirmed=state.confirmed))

    async def release(self, state: State) -> None:
        """Give the lease up, so that another poller need not wait for its end. Raises what `renew` raises."""
        await self._write(state, lambda head: replace(head, confirmed=state.confirmed), seconds=0)

    def is_long(self, state: State) -> bool:
        """Return whether the journal has become so long that a base should be written."""
        return self._segments >= _MAX_SEGMENTS or self._changes >= max(_MIN_CHANGES, len(state.carts) // 4)

    async def compact(self, state: State) -> None:
        """Write a base of a state of which nothing is pending, and remove what it replaces.

        Killed at any point, the old base or the new one counts, and what is left over is removed the next time.

        Raises:
            BusyError: another poller has taken the lease.
            UnavailableError: the bucket did not answer within the retry deadline.
        """
        if state.pending:
            raise RuntimeError("a state with pending events can't become a base")
        sequence, names = state.sequence, list[str]()
        for data in await asyncio.to_thread(encode_shards, state):
            names.append(f"{self._base(state.epoch)}{sequence:012d}-{digest(data)}.gz")
            await self._zone.create(names[-1], data)
        await self._write(
            state, lambda head: replace(head, base=sequence, shards=tuple(names), confirmed=state.confirmed)
        )
        self._segments = self._changes = 0
        # Only what is older: another poller may have taken over by now and have written a base of its own.
        last, first = self._segment(state.epoch, sequence), f"{self._base(state.epoch)}{sequence:012d}"
        log = [name for name in await self._zone.names(self._log(state.epoch)) if name <= last]
        base = [name for name in await self._zone.names(self._base(state.epoch)) if name < first]
        for name in (*log, *base):
            await self._zone.remove_state(name)

    def _log(self, epoch: int) -> str:
        return f"{self.folder}/{epoch}/log/"

    def _base(self, epoch: int) -> str:
        return f"{self.folder}/{epoch}/base/"

    def _segment(self, epoch: int, sequence: int) -> str:
        return f"{self._log(epoch)}{sequence:012d}.gz"

    async def _objects(self, names: list[str]) -> AsyncIterator[tuple[str, bytes]]:
        """Yield the objects' bytes in order, some of them read at once."""
        for some in batched(names, _READ_AHEAD, strict=False):
            for name, found in zip(some, await asyncio.gather(*map(self._zone.read, some)), strict=True):
                if found is None:
                    raise self._corrupt(name, ValueError("it is missing"))
                yield name, found.data

    def _checked[T](self, name: str, decode: Callable[[], T]) -> T:
        try:
            return decode()
        except ValueError as error:
            raise self._corrupt(name, error) from error

    def _decoded(self, data: bytes) -> Head:
        return self._checked(self.head, lambda: decode_head(data, self._source))

    def _corrupt(self, name: str, error: ValueError) -> CorruptStateError:
        head = self._zone.uri(self.head)
        # pydantic's message quotes what it read; its first line does not.
        return CorruptStateError(
            f"the poller's state {self._zone.uri(name)} can't be used ({str(error).splitlines()[0]}): restore the "
            f"object, or begin a new epoch, in which every cart is published anew, with "
            f"`gcloud storage mv {head} {head}.corrupt`"
        )

    def _busy(self) -> BusyError:
        return BusyError(
            f"another poller of {self._source} has written to {self._zone.uri(self.folder)}: this one stands by"
        )

    async def _check_place(self, state: State, sequence: int) -> None:
        """Make sure that a segment that was just created is read by whoever takes over.

        A number is free again when a base has replaced its segment. A poller that was frozen meanwhile would tell
        with it what was told before, under the same ids. A base counts before its segments are removed, so whoever
        creates a segment and then finds no such base was in time.

        Raises:
            BusyError: it was not, or another epoch has begun.
        """
        found = await self._zone.read(self.head)
        head = self._decoded(found.data) if found else None
        if head is None or head.epoch != state.epoch or head.base >= sequence:
            raise self._busy()

    async def _write(self, state: State, change: Callable[[Head], Head], *, seconds: float | None = None) -> None:
        """Write the head as `change` makes it of the last one, with this poller as holder. Raises what `renew` does."""
        async with self._writing:
            lease = self.lease_seconds if seconds is None else seconds
            if state is not self._opened or not await self._put(change(self._current), lease):
                raise self._busy()

    async def _put(self, head: Head, seconds: float) -> bool:
        """Write the head with this poller as holder; return False when somebody else wrote before."""
        held = head.held(self._holder, _milliseconds(self._clock.now()) + int(seconds * 1000))
        data = encode_head(held)
        while True:
            written = await self._zone.replace(self.head, data, generation=self._generation)
            if written is None:
                # It may be a write of this poller: this very one, when its answer was lost and the retry met its own
                # success, or an earlier one that nobody waited for.
                found = await self._zone.read(self.head)
                if found is None or self._decoded(found.data).holder != self._holder:
                    return False
                self._generation = found.generation
                if found.data != data:
                    continue
                written = found.generation
            self._current, self._generation = held, written
            return True


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
