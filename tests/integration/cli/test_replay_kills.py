"""Replay, rebuild and compaction killed at their requests, run twice at once, and on random histories."""

import asyncio
import contextlib
import json
import random
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dataplatform.errors import BusyError
from eydp.replay import start
from eydp.replay.run import Report
from eydp.replay.start import LEASE
from eydp.replay.wiring import Upkeep, lease_name
from localcloud.state import StackState
from support.proxy import DroppedError, Fault, Moment
from support.proxy_http import HttpProxy
from support.upkeep import DAY, NOON, Place, cart, message, place

pytestmark = pytest.mark.long

LONG_AGO = NOON + timedelta(seconds=2)
DATES = ("--from", "2026-11-20", "--to", "2026-11-20")


@pytest.fixture(name="here")
def place_fixture(stack: StackState, stack_env: Mapping[str, str], tmp_path: Any) -> Iterator[Place]:
    with place(stack, stack_env, tmp_path) as made:
        yield made


class Kill(Fault):
    """Ends the process at its `nth` request, as a crash would."""

    process: "asyncio.subprocess.Process | None" = None

    async def act(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        raise DroppedError


async def killed(environment: Mapping[str, str], arguments: tuple[str, ...], moment: Moment, nth: int) -> bool:
    """Run a command that dies at a request to BigQuery or the bucket; return False when it ended before."""
    fault = Kill("", moment, nth)
    async with (
        HttpProxy(environment["BIGQUERY_EMULATOR_HOST"]) as bigquery,
        HttpProxy(environment["STORAGE_EMULATOR_HOST"]) as storage,
    ):
        bigquery.faults.add(fault)
        storage.faults.add(fault)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "eydp", *arguments),
            env={
                **environment,
                "BIGQUERY_EMULATOR_HOST": bigquery.address,
                "STORAGE_EMULATOR_HOST": storage.address,
            },
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        fault.process = process
        code = await asyncio.wait_for(process.wait(), 150)
    assert code in {0, -9}
    return code != 0


def lease_ran_out(here: Place) -> None:
    """Let the lease of a run that died be over, as it is after a minute."""

    async def age(tools: Upkeep) -> None:
        found = await tools.zone.read(lease_name(LEASE))
        if found is not None:
            state = {**json.loads(found.data), "expires_at": "2026-11-20T00:00:00.000000Z"}
            await tools.zone.replace(lease_name(LEASE), json.dumps(state).encode(), generation=found.generation)

    here.with_tools(age)


def forgotten(here: Place, prefix: str) -> None:
    """Delete objects."""

    async def delete(tools: Upkeep) -> None:
        for stored in await tools.bucket.objects(prefix):
            await tools.bucket.delete(stored)

    here.with_tools(delete)


def left_behind(here: Place) -> list[str]:
    """The staging tables that a run that died has left; each must have an end. They are dropped here."""

    async def look(tools: Upkeep) -> list[str]:
        names = [tools.platform.raw_table(name) for name in found]
        for name in names:
            described = await tools.jobs.described(name)
            assert described is not None
            assert int(described["expirationTime"]) > 0
            await tools.jobs.drop_table(name)
        return names

    found = here.staging_tables()
    return here.with_tools(look)


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("moment", ["request", "answer"])
def test_a_replay_killed_at_any_request_and_repeated_ends_in_the_same_table(here: Place, moment: Moment) -> None:
    orphans = 0
    for nth in range(1, 200):
        carts = [nth * 10 + n for n in range(3)]
        messages = [message(cart(number)) for number in carts]
        name = here.archived(messages, sequence=nth)
        here.appended(messages[:1], name, taken=LONG_AGO)
        here.appended(messages[:1], name, taken=LONG_AGO + timedelta(minutes=1))
        died = asyncio.run(killed(here.world.environment, ("replay", *DATES), moment, nth))
        lease_ran_out(here)
        orphans += len(left_behind(here))
        here.world.eydp("replay", *DATES)
        assert [number for number in here.carts() if number in carts] == carts, f"killed at {moment} {nth}"
        if not died:
            break
        forgotten(here, "carts_events/")  # so that each run makes the same requests
    assert nth > 10
    assert orphans, "some deaths leave a staging table"
    assert sorted(set(here.carts())) == here.carts()


@pytest.mark.timeout(1800)
def test_a_rebuild_killed_at_random_requests_and_repeated_ends_in_the_same_tables(here: Place) -> None:
    messages = [message(cart(number)) for number in range(5)]
    name = here.archived(messages)
    here.appended(messages[:3], name, taken=LONG_AGO)
    dataset = here.world.environment["EYDP_DATASET_RAW"]
    # Rows of a rebuild that came to its end count as young for the next one.
    apply = ("rebuild", "--dataset", dataset, "--apply", "--despite-young-rows")
    chance = random.Random(5)
    for _ in range(6):
        moment: Moment = chance.choice(["request", "answer"])
        asyncio.run(killed(here.world.environment, apply, moment, chance.randrange(20, 120)))
        lease_ran_out(here)
        assert set(here.carts()) <= set(range(5))
        assert {0, 1, 2} <= set(here.carts()), "readers see the old table or the new one"
    here.world.eydp(*apply)
    assert here.carts() == [0, 1, 2, 3, 4]


def test_of_two_replays_at_once_one_leaves_and_nothing_is_doubled(here: Place) -> None:
    here.archived([message(cart(number)) for number in range(20)])

    async def both(tools: Upkeep) -> list[Any]:
        async def one() -> Report:
            return await start.replay(tools, "carts_events", (DAY, DAY), check=False, progress=lambda _: None)

        return list(await asyncio.gather(one(), one(), return_exceptions=True))

    ended = here.with_tools(both)
    assert {type(each) for each in ended} == {Report, BusyError}
    assert here.carts() == list(range(20))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(8))
def test_after_any_history_a_replay_of_all_days_leaves_each_event_once(here: Place, seed: int) -> None:
    chance = random.Random(seed)
    days = [NOON + timedelta(days=n) for n in range(3)]
    expected = set()
    for sequence in range(chance.randrange(3, 9)):
        at = chance.choice(days) + timedelta(seconds=chance.randrange(-43_200, 43_200))
        carts = chance.sample(range(30), chance.randrange(1, 6))
        # An event is the same wherever its copies are: its observation follows from its number.
        messages = [
            message(cart(number, observed=days[number % 3]), at=at + timedelta(milliseconds=n), copy=sequence)
            for n, number in enumerate(carts)
        ]
        name = here.archived(messages, sequence=sequence)
        expected |= set(carts)
        for _ in range(chance.randrange(3)):
            some = [each for each in messages if chance.random() < 0.6]
            if some:
                here.appended(some, name, taken=at + timedelta(seconds=chance.randrange(1, 10_000)))
        if chance.random() < 0.3:
            here.world.eydp("compact", "--date", f"{chance.choice(days):%Y-%m-%d}")
        if chance.random() < 0.3:
            day = f"{chance.choice(days):%Y-%m-%d}"
            here.world.eydp("replay", "--from", day, "--to", day)
    # Late enough for every row to be removed that is too many.
    last = datetime.now(UTC).date()

    async def all_days(tools: Upkeep) -> Report:
        first = (days[0] - timedelta(days=1)).date()
        return await start.replay(tools, "carts_events", (first, last), check=False, progress=lambda _: None)

    here.with_tools(all_days, ahead=timedelta(hours=3))
    assert here.carts() == sorted(expected)
    dataset = here.world.environment["EYDP_DATASET_RAW"]

    forgotten(here, "_state/replay/")  # it was let go three hours ahead
    same = here.world.eydp("rebuild", "--dataset", dataset, "--json").json["comparisons"]
    assert all(each["old_checksum"] == each["new_checksum"] for each in same)
