"""Give memory back to the operating system once a backlog is gone."""

import ctypes
import gc
from collections.abc import Callable

from localcloud.pubsub.broker import Broker

WORTH_IT_MESSAGES = 10_000


def trim() -> None:
    """Collect garbage and return free pages to the system, where its C library can."""
    gc.collect()
    malloc_trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)


class Housekeeping:
    """Calls `release` when at most a tenth of a backlog is left, or when as many messages went through it.

    Args:
        broker: whose messages are counted.
        release: what gives memory back; it takes some tens of milliseconds with little left to look through.
    """

    def __init__(self, broker: Broker, release: Callable[[], None] = trim) -> None:
        self._broker = broker
        self._release = release
        self._highest = 0
        self._acked = 0

    def tick(self) -> None:
        """Look at the backlogs; to be called every second or so."""
        counts = [subscription.backlog.counts() for subscription in self._broker.subscriptions.values()]
        unacked = sum(count.ready + count.leased for count in counts)
        acked = sum(count.acked for count in counts)
        self._highest = max(self._highest, unacked)
        worth = max(self._highest, abs(acked - self._acked)) >= WORTH_IT_MESSAGES
        if worth and unacked <= max(self._highest, WORTH_IT_MESSAGES) // 10:
            self._release()
            self._highest, self._acked = unacked, acked
