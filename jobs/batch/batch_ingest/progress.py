"""How far a run is: a line that is written over on a terminal, a log line now and then elsewhere."""

import sys
from typing import TextIO

from dataplatform.clock import Clock
from dataplatform.logs import logger

_MEGABYTE = 1_000_000


class Progress:
    """Counts the records of one answer."""

    def __init__(self, entity: str, clock: Clock, *, every_seconds: float, terminal: TextIO | None = None) -> None:
        """`terminal` is where a person looks, None when nobody does."""
        self._entity = entity
        self._clock = clock
        self._terminal = terminal
        self._every = 0.2 if terminal else every_seconds
        self._began = self._told = clock.monotonic()
        self._records = 0
        self._chars = 0

    def step(self, records: int, chars: int) -> None:
        """Count some more, and tell when it is time."""
        self._records += records
        self._chars += chars
        now = self._clock.monotonic()
        if now - self._told >= self._every:
            self._told = now
            self._tell(now)

    def end(self) -> None:
        """Leave the terminal's line."""
        if self._terminal:
            self._tell(self._clock.monotonic())
            self._terminal.write("\n")

    def _tell(self, now: float) -> None:
        rate = self._records / max(now - self._began, 1e-9)
        megabytes = self._chars / _MEGABYTE
        if self._terminal:
            self._terminal.write(f"\r{self._entity}: {self._records:,} records, {megabytes:,.1f} MB, {rate:,.0f}/s ")
            self._terminal.flush()
        else:
            logger().info(
                "receiving",
                entity=self._entity,
                records=self._records,
                megabytes=round(megabytes, 1),
                records_per_second=round(rate),
            )


def terminal() -> TextIO | None:
    """Return the terminal at which a person looks, if there is one."""
    return sys.stderr if sys.stderr.isatty() else None
