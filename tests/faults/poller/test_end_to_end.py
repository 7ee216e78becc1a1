"""From a changing shop through killed pollers and the real consumer to the staging model: each change is one row."""

import asyncio
import json
from collections.abc import Mapping
from random import Random
from typing import Any

import aiohttp
import pytest

from dataplatform.clock import SystemClock
from faults.consumers import Consumer
from faults.world import World
from localcloud.fakestore.client import FakeStoreAdmin
from localcloud.fakestore.options import Options
from localcloud.fakestore.server import serving
from support.poller_process import PollerProcess
from support.poller_truth import findings
from support.poller_witness import Witness


def as_message(row: Mapping[str, Any]) -> bytes:
    """Return the event that a row of the raw table keeps as its payload."""
    payload = row["payload"]
    return json.dumps(json.loads(payload) if isinstance(payload, str) else payload, sort_keys=True).encode()


@pytest.mark.long
async def test_each_change_that_a_killed_poller_saw_is_one_row_of_staging(quick_world: World) -> None:
    world, rng = quick_world, Random(4)
    async with (
        aiohttp.ClientSession() as session,
        serving(Options(), SystemClock()) as shop,
        Witness(f"http://{shop}") as witness,
        Consumer(world.direct, "killed-consumer") as first,
    ):
        admin = FakeStoreAdmin(f"http://{shop}", session)
        environment = {
            **world.direct,
            "EYDP_SOURCE_URL": witness.address,
            "EYDP_POLLER_INTERVAL_SECONDS": "0.1",
            "EYDP_POLLER_LEASE_SECONDS": "1",
        }
        for kill in range(4):
            async with PollerProcess(environment, f"killed-{kill}", segments=2) as process:
                await process.logged("poller started")
                for _ in range(rng.randrange(3, 12)):
                    await admin.change(1)
                    await asyncio.sleep(0.15)
                await process.kill()
            for line in process.polled():
                witness.ended_well(process.name, line)
            if kill == 1:
                await first.kill()
        async with (
            PollerProcess(environment, "survivor", segments=2) as process,
            Consumer(world.direct, "last") as last,
        ):
            await process.until(lambda: len(process.polled()) > 2)
            await process.stop()
            await world.all_acknowledged()
            await last.stop()
        for line in process.polled():
            witness.ended_well(process.name, line)
    staged = await world.query(
        "select any_value(to_json_string(payload)) as payload, count(*) as n from {events} group by event_id"
    )
    found = findings(witness.answers, (), [as_message(row) for row in staged])
    print(f"to staging: {len(witness.answers)} answers, {len(staged)} events, {sum(row['n'] for row in staged)} rows")  # noqa: T201 - the numbers of a campaign
    assert found == []
    world.published = [json.loads(as_message(row)) for row in staged]
    await world.counts()
