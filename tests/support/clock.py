"""A clock that tests move by hand, or that moves by itself when somebody sleeps."""

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


class FakeClock:
    """Satisfies `dataplatform.clock.Clock`. A sleep ends at once, is remembered, and moves the time by its length."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._monotonic = 1000.0
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.advance(max(0.0, seconds))
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds
