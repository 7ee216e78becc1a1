"""When to poll: at a fixed rate from the first poll on, whatever each poll takes. Pure."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tick:
    """The start of a poll in monotonic seconds, and how many before it were missed."""

    at: float
    missed: int


class FixedRate:
    """Ticks at `start`, `start + interval`, `start + 2 * interval` and so on; those that pass unused are missed."""

    def __init__(
        self, start: float, interval: float, jitter: float = 0.0, chance: Callable[[], float] = random.random
    ) -> None:
        """Each tick is late by a part of `jitter` of its own, which `chance` gives; lateness never adds up."""
        self._start = start
        self._interval = interval
        self._jitter = min(jitter, interval)
        self._chance = chance
        self._number = 0

    def after(self, now: float) -> Tick:
        """Return the first tick later than `now` that was not returned before."""
        number = max(int((now - self._start) // self._interval) + 1, self._number + 1)
        missed, self._number = number - self._number - 1, number
        return Tick(self._start + number * self._interval + self._jitter * self._chance(), missed)
