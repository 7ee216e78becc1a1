"""How much is taken: so many requests per second, so many and so many bytes at once. Pure."""

from collections.abc import Iterator
from contextlib import contextmanager

from carts_poller.push.problem import Code, ProblemError
from dataplatform.clock import Clock


class TokenBucket:
    """Lets `rate` requests per second pass in the long run, and `burst` at once after a pause."""

    def __init__(self, clock: Clock, *, rate: float, burst: float) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = clock.monotonic()

    def wait(self) -> float:
        """Take a token and return 0, or return in how many seconds there will be one."""
        now = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return (1 - self._tokens) / self._rate
        self._tokens -= 1
        return 0.0


class Room:
    """The requests at work."""

    def __init__(self, *, max_requests: int, max_bytes: int, retry_after: int) -> None:
        """`retry_after` is when who finds no room may come back, in seconds."""
        self._max_requests = max_requests
        self._max_bytes = max_bytes
        self._retry_after = retry_after
        self.requests = 0
        self.bytes = 0

    @contextmanager
    def enter(self, size: int) -> Iterator[None]:
        """Hold room for a request of `size` bytes. A request that is alone has room, whatever its size.

        Raises:
            ProblemError: there is none.
        """
        if self.requests >= self._max_requests or (self.requests and self.bytes + size > self._max_bytes):
            raise ProblemError(Code.BUSY, "too many requests are at work", retry_after=self._retry_after)
        self.requests += 1
        self.bytes += size
        try:
            yield
        finally:
            self.requests -= 1
            self.bytes -= size
