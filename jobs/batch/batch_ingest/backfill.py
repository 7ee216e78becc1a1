"""Backfill: days loaded again from the raw zone, the oldest first, so that the table ends with the last of them.

It goes on where it was cut off: days before the one that the table holds are looked at and left alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date

from batch_ingest import receipt
from batch_ingest.entities import Entity
from batch_ingest.identity import day_prefix
from batch_ingest.receipt import Receipt
from batch_ingest.report import Report
from batch_ingest.run import Batch
from batch_ingest.tablestate import TableState
from dataplatform.errors import InvalidDataError
from dataplatform.logs import logger


@dataclass(frozen=True, slots=True)
class Backfill:
    """Loads days of one entity from the raw zone; `today` comes from the source when the raw zone has nothing."""

    batch: Batch
    entity: Entity
    today: date
    parallel: int = 1
    """Days whose objects are looked for at the same time. Loads are one at a time: each builds on the one before."""

    async def run(self, days: Sequence[date], one: Callable[[Awaitable[Report | None]], Awaitable[int]]) -> int:
        """Load the days; `one` awaits a load and returns its exit code. Return the last code that is not 0, or 0."""
        slots = asyncio.Semaphore(self.parallel)
        looks = {day: asyncio.create_task(self._look(day, slots)) for day in sorted(days)}
        try:
            code = 0
            for day, look in looks.items():
                code = await one(self._day(day, look)) or code
            return code
        finally:
            for look in looks.values():
                look.cancel()
            await asyncio.wait(looks.values())

    async def _day(self, day: date, look: asyncio.Task[Receipt | None]) -> Report | None:
        found = await look
        if found is None and day == self.today:
            return await self.batch.run(self.entity, day)
        if found is None:
            raise InvalidDataError(
                f"the raw zone has no {self.entity.name} of {day}, and the source has no past: nothing was loaded"
            )
        if await self._passed(day):
            logger().info("left alone: the table holds a later day", entity=self.entity.name, logical_date=str(day))
            return None
        return await self.batch.reload(self.entity, day)

    async def _passed(self, day: date) -> bool:
        """Return whether the table holds a later day already, and is not to go back."""
        if "older_than_table" in self.batch.allowed:
            return False
        state = TableState(self.batch.zone, self.entity)
        await state.read()
        if state.loaded is None or state.loaded.day <= day:
            return False
        return state.loading is not None or await self.batch.holds(self.entity, state.loaded)

    async def _look(self, day: date, slots: asyncio.Semaphore) -> Receipt | None:
        """Return the receipt of a day whose objects are all there.

        Raises:
            InvalidDataError: one is missing.
        """
        async with slots:
            found = await receipt.of_day(self.batch.zone, self.entity, day)
            if found is None:
                return None
            there = set(await self.batch.zone.names(day_prefix(self.entity, day)))
        missing = [part.name for part in found.parts if part.name not in there]
        if missing:
            raise InvalidDataError(f"{self.batch.zone.uri(missing[0])} of run {found.run.run_id} is not there any more")
        return found
