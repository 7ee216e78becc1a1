"""A run that waits for another one of its entity."""

import asyncio
from typing import Any

import pytest

from dataplatform.errors import BusyError
from dataplatform.lease import Lease
from support.clock import FakeClock

from .world import Steps, StillClock, Zone


def lease(zone: Any, clock: Any, run: str, wait_seconds: float = 0) -> Lease:
    name = "_state/batch/products/lease.json"
    return Lease(zone, name, run, clock, seconds=60, wait_seconds=wait_seconds)


async def held(zone: Zone) -> tuple[asyncio.Event, asyncio.Task[bool]]:
    """Let another run hold the lease until the event is set."""
    free, began = asyncio.Event(), asyncio.Event()

    async def work() -> bool:
        began.set()
        return await free.wait()

    task = asyncio.create_task(lease(zone, StillClock(), "other").hold(work))
    async with asyncio.timeout(10):
        await began.wait()
    return free, task


async def done() -> str:
    return "done"


async def test_a_run_that_waits_begins_when_the_other_has_ended() -> None:
    zone = Zone(Steps())
    free, other = await held(zone)

    class Clock(FakeClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            free.set()
            await other

    assert await lease(zone, Clock(), "mine", wait_seconds=900).hold(done) == "done"


async def test_a_run_that_waited_long_enough_leaves() -> None:
    zone, clock = Zone(Steps()), FakeClock()
    free, other = await held(zone)

    with pytest.raises(BusyError, match=r"run other on .* is at it"):
        await lease(zone, clock, "mine", wait_seconds=30).hold(done)
    assert 29 <= sum(clock.sleeps) <= 31
    free.set()
    assert await other
