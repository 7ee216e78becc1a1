"""One run at a time: who holds the lease, who gets it, and what becomes of a run that loses it."""

import asyncio
import json
from typing import Any, cast

import pytest

from dataplatform.errors import BusyError, InvalidDataError
from dataplatform.lease import Lease
from dataplatform.rawzone import RawZone, Versioned
from support.clock import FakeClock


class _Zone:
    """State objects with generations, as the bucket keeps them."""

    def __init__(self) -> None:
        self.objects: dict[str, Versioned] = {}
        self.lose_answers = False
        self.written = asyncio.Event()

    def uri(self, name: str) -> str:
        return f"gs://b/{name}"

    async def read(self, name: str) -> Versioned | None:
        return self.objects.get(name)

    async def replace(self, name: str, data: bytes, *, generation: int) -> int | None:
        found = self.objects.get(name)
        if (found.generation if found else 0) != generation:
            return None
        self.objects[name] = Versioned(data, generation + 1)
        self.written.set()
        return None if self.lose_answers else generation + 1


class _StillClock(FakeClock):
    """Nobody wakes up by themselves: renewals come when the test lets them."""

    def __init__(self) -> None:
        super().__init__()
        self.woken = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        await self.woken.wait()
        self.woken.clear()


def _lease(zone: _Zone, clock: FakeClock, run: str = "first") -> Lease:
    return Lease(cast("RawZone", zone), "_state/redrive/quarantine.json", run, clock, seconds=60)


async def _answer() -> int:
    return 42


async def test_a_run_that_ended_leaves_the_lease_to_the_next_at_once() -> None:
    zone, clock = _Zone(), _StillClock()
    assert await _lease(zone, clock).hold(_answer) == 42
    assert await _lease(zone, clock, "second").hold(_answer) == 42


async def test_another_run_is_refused_while_the_lease_is_held_and_told_by_whom() -> None:
    zone, clock = _Zone(), _StillClock()

    async def work() -> None:
        with pytest.raises(BusyError, match=r"run first on .+ is at it, and nothing was done"):
            await _lease(zone, clock, "second").hold(_answer)

    await _lease(zone, clock).hold(work)


async def test_a_run_that_died_loses_the_lease_after_its_seconds() -> None:
    zone, clock = _Zone(), _StillClock()
    dead = asyncio.ensure_future(_lease(zone, clock).hold(asyncio.Event().wait))
    await zone.written.wait()
    left = dict(zone.objects)
    dead.cancel()
    await asyncio.wait({dead})
    zone.objects = left  # as if it had been killed before it could give the lease back
    clock.advance(59)
    with pytest.raises(BusyError):
        await _lease(zone, clock, "second").hold(_answer)
    clock.advance(1)
    assert await _lease(zone, clock, "second").hold(_answer) == 42


async def test_the_lease_is_renewed_while_work_goes_on() -> None:
    zone, clock = _Zone(), _StillClock()

    async def work() -> None:
        zone.written.clear()
        clock.advance(40)
        clock.woken.set()
        await zone.written.wait()
        clock.advance(40)
        with pytest.raises(BusyError):
            await _lease(zone, clock, "second").hold(_answer)

    await _lease(zone, clock).hold(work)
    assert clock.sleeps[0] == 20


async def test_a_run_that_lost_its_lease_stops_and_leaves_the_others_lease_alone() -> None:
    zone, clock = _Zone(), _StillClock()
    stopped = []

    async def work() -> None:
        zone.objects["_state/redrive/quarantine.json"] = Versioned(b"another's", 77)
        clock.woken.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(True)

    with pytest.raises(BusyError, match="another run took the lease"):
        await _lease(zone, clock).hold(work)
    assert stopped == [True]
    assert zone.objects["_state/redrive/quarantine.json"] == Versioned(b"another's", 77)


async def test_of_two_that_find_a_free_lease_one_gets_it() -> None:
    zone, clock = _Zone(), _StillClock()
    going = asyncio.Event()

    async def work() -> str:
        await going.wait()
        return "done"

    both = [asyncio.ensure_future(_lease(zone, clock, run).hold(work)) for run in ("a", "b")]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    going.set()
    outcomes: list[Any] = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["BusyError", "str"]


async def test_a_write_whose_answer_was_lost_counts_as_done() -> None:
    zone, clock = _Zone(), _StillClock()
    zone.lose_answers = True
    assert await _lease(zone, clock).hold(_answer) == 42
    assert json.loads(zone.objects["_state/redrive/quarantine.json"].data)["run_id"] == "first"


async def test_an_error_of_the_work_is_the_error_of_the_run() -> None:
    zone, clock = _Zone(), _StillClock()

    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await _lease(zone, clock).hold(work)
    assert await _lease(zone, clock, "second").hold(_answer) == 42


async def test_an_object_that_is_no_lease_is_named() -> None:
    zone, clock = _Zone(), _StillClock()
    zone.objects["_state/redrive/quarantine.json"] = Versioned(b"{}", 3)
    with pytest.raises(InvalidDataError, match=r"gs://b/_state/redrive/quarantine.json is no lease"):
        await _lease(zone, clock).hold(_answer)
