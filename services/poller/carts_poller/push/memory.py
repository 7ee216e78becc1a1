"""What the service remembers, bounded in number and time: signatures it took, answers it gave to a key.

In the memory of one process. What other replicas took is told apart by the poller.
"""

import asyncio
from dataclasses import dataclass

from dataplatform.clock import Clock


class Signatures:
    """The signatures that were taken and would be genuine still if they came again. Times are seconds since 1970."""

    def __init__(self, max_count: int) -> None:
        self._max = max_count
        self._until: dict[bytes, int] = {}
        self._ending: dict[int, list[bytes]] = {}  # by the second in which they end
        self._swept = 0

    def __len__(self) -> int:
        return len(self._until)

    def sweep(self, now: int) -> None:
        """Forget those that ended before `now`."""
        if now <= self._swept:
            return
        for second in [second for second in self._ending if second < now]:
            for mac in self._ending.pop(second):
                if self._until.get(mac) == second:
                    del self._until[mac]
        self._swept = now

    @property
    def full(self) -> bool:
        """Return whether no more can be remembered; forgetting one early would let it be replayed."""
        return len(self._until) >= self._max

    def __contains__(self, mac: bytes) -> bool:
        return mac in self._until

    def remember(self, mac: bytes, until: int) -> None:
        """Keep a signature through the second `until`."""
        self._until[mac] = until
        self._ending.setdefault(until, []).append(mac)

    def forget(self, mac: bytes) -> None:
        """Let a signature be used again, as nothing came of it."""
        self._until.pop(mac, None)


@dataclass(slots=True)
class Remembered:
    """A key's request: the digest of its body, and how many records were taken, once that is known."""

    body: bytes
    taken: "asyncio.Future[int]"
    ends: float


class Answers:
    """The answers to idempotency keys, those still being worked out included."""

    def __init__(self, clock: Clock, *, seconds: float, max_count: int) -> None:
        """An answer is kept for `seconds` from its beginning; the oldest go when there are more than `max_count`."""
        self._clock = clock
        self._seconds = seconds
        self._max = max_count
        self._held: dict[str, Remembered] = {}  # in the order of their beginning, so of their end

    def __len__(self) -> int:
        return len(self._held)

    def find(self, key: str) -> Remembered | None:
        """Return what is known of a key."""
        self._sweep()
        return self._held.get(key)

    def begin(self, key: str, body: bytes) -> Remembered:
        """Remember that a request with this key is at work."""
        found = Remembered(body, asyncio.get_running_loop().create_future(), self._clock.monotonic() + self._seconds)
        self._held[key] = found
        self._sweep()
        return found

    def fail(self, key: str, begun: Remembered, error: Exception) -> None:
        """Tell those who wait for it that it failed, and forget it, so that it can be tried again."""
        if self._held.get(key) is begun:
            del self._held[key]
        begun.taken.set_exception(error)
        begun.taken.exception()  # looked at: nobody may be waiting

    def _sweep(self) -> None:
        now = self._clock.monotonic()
        while self._held:
            key = next(iter(self._held))
            if self._held[key].ends > now and len(self._held) <= self._max:
                return
            del self._held[key]
