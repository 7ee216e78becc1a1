"""Group commit: records of many requests share a Publish request, and each request learns when all of its are safe."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from carts_poller.pushed import Pushed
from dataplatform.clock import Clock

#: Attributes, ordering key and framing of one message.
_OVERHEAD_BYTES = 512

#: Publishes so many records in one request and returns when all are confirmed; raises when not all surely are.
Send = Callable[[Sequence[Pushed]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How records are grouped, and how many requests await their answer at once."""

    linger_seconds: float
    batch_messages: int
    batch_bytes: int
    in_flight: int


@dataclass(slots=True)
class _Request:
    """Records of one client's request that are not confirmed yet."""

    left: int
    done: "asyncio.Future[None]"


@dataclass(frozen=True, slots=True)
class _Entry:
    pushed: Pushed
    size: int
    request: _Request


class Group:
    """Publishes in groups. `run` does the work.

    Records of one cart are published in the order in which they were submitted: while one is in flight, later ones
    wait, or go in the same group after it.
    """

    def __init__(self, send: Send, bounds: Bounds, clock: Clock) -> None:
        self._send = send
        self._bounds = bounds
        self._clock = clock
        self._queue: deque[_Entry] = deque()
        self._queued_bytes = 0
        self._flying: set[int] = set()
        self._sending: set[asyncio.Task[None]] = set()  # a task needs somebody who holds it
        self._in_flight = 0
        self._wake = asyncio.Event()
        self._moved = clock.monotonic()

    def submit(self, records: Sequence[Pushed]) -> "asyncio.Future[None]":
        """Take records, in this order after all before them; the future is done when every one of them is confirmed.

        When one can't be published the future raises what `send` raised. Others of the request may have been published.
        """
        request = _Request(len(records), asyncio.get_running_loop().create_future())
        for pushed in records:
            size = _size(pushed.text) + _OVERHEAD_BYTES
            self._queue.append(_Entry(pushed, size, request))
            self._queued_bytes += size
        if not records:
            request.done.set_result(None)
        if not self._in_flight:
            self._moved = self._clock.monotonic()
        self._wake.set()
        return request.done

    @property
    def idle_seconds(self) -> float:
        """Return for how long nothing was confirmed or given up although there is something to publish."""
        return self._clock.monotonic() - self._moved if self._in_flight or self._queue else 0.0

    async def run(self) -> None:
        """Publish until cancelled; what is in flight then is cancelled too."""
        try:
            while True:
                await self._wake.wait()
                if not self._has_full_group:
                    await self._clock.sleep(self._bounds.linger_seconds)
                self._wake.clear()
                while self._in_flight < self._bounds.in_flight and (group := self._next()):
                    self._start(group)
        finally:
            for task in self._sending:
                task.cancel()

    @property
    def _has_full_group(self) -> bool:
        return len(self._queue) >= self._bounds.batch_messages or self._queued_bytes >= self._bounds.batch_bytes

    def _next(self) -> list[_Entry]:
        """Take the next group out of the queue. Entries whose cart is in flight stay, and keep their order."""
        group: list[_Entry] = []
        waiting: list[_Entry] = []
        held: set[int] = set()
        size = 0
        while self._queue and len(group) < self._bounds.batch_messages:
            entry = self._queue.popleft()
            cart = entry.pushed.cart_id
            if entry.request.done.done():  # another record of it has failed
                self._queued_bytes -= entry.size
            elif cart in self._flying or cart in held:
                waiting.append(entry)
                held.add(cart)
            elif group and size + entry.size > self._bounds.batch_bytes:
                self._queue.appendleft(entry)
                break
            else:
                group.append(entry)
                size += entry.size
        self._queue.extendleft(reversed(waiting))
        self._queued_bytes -= size
        return group

    def _start(self, group: list[_Entry]) -> None:
        carts = {entry.pushed.cart_id for entry in group}
        self._flying |= carts
        self._in_flight += 1
        task = asyncio.create_task(self._publish(group, carts))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _publish(self, group: list[_Entry], carts: set[int]) -> None:
        try:
            await self._send([entry.pushed for entry in group])
        except Exception as error:  # noqa: BLE001 - the requests raise it
            for entry in group:
                if not entry.request.done.done():
                    entry.request.done.set_exception(error)
        else:
            for entry in group:
                entry.request.left -= 1
                if not entry.request.left and not entry.request.done.done():
                    entry.request.done.set_result(None)
        finally:
            self._flying -= carts
            self._in_flight -= 1
            self._moved = self._clock.monotonic()
            self._wake.set()


def _size(text: str | None) -> int:
    if not text:
        return 0
    return len(text) if text.isascii() else len(text.encode())
