"""A BigQuery that refuses for a while or for ever, and a loader that is killed and started again."""

import asyncio
import contextlib
import random
import sys
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from google.api_core import exceptions as google
from google.cloud import bigquery

from batch_ingest.entities import ENTITIES
from dataplatform.errors import InvalidDataError
from support import golden
from support.proxy import DroppedError, Fault, Moment
from support.proxy_http import HttpProxy

from .conftest import DAY, World

#: The program takes no day of the future.
FIRST = date(2026, 1, 1)


class Sick:
    """A BigQuery client of which each job fails to start some times, with each of the errors in turn."""

    def __init__(self, client: bigquery.Client, *errors: Exception) -> None:
        self._client = client
        self._errors = errors
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name not in {"query", "query_and_wait", "load_table_from_uri", "load_table_from_json"}:
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            self.calls[name] += 1
            if self.calls[name] <= len(self._errors):
                raise self._errors[self.calls[name] - 1]
            return found(*arguments, **named)

        return call


async def test_a_load_goes_on_after_limits_and_outages_of_bigquery(world: World) -> None:
    sick = Sick(
        world.bigquery,
        google.Forbidden("too fast", errors=[{"reason": "rateLimitExceeded"}]),
        google.InternalServerError("broken"),
        google.ServiceUnavailable("away"),
    )

    report = await world.batch(warehouse=world.warehouse(sick)).run(ENTITIES["products"], DAY)

    assert report.loaded_count == golden.PRODUCTS == len(await world.rows("Products"))
    assert min(sick.calls.values()) > 3


async def test_a_job_that_fails_for_good_is_not_tried_again(world: World) -> None:
    final = google.BadRequest("no such field: nope", errors=[{"reason": "invalid"}])
    sick = Sick(world.bigquery, *[final] * 100)

    with pytest.raises(InvalidDataError, match="BigQuery refused a load"):
        await world.batch(warehouse=world.warehouse(sick)).run(ENTITIES["products"], DAY)

    assert sick.calls["load_table_from_uri"] == 1
    assert await world.rows("Products") == []


class Kill(Fault):
    """Ends the process at its `nth` request, as a crash would."""

    process: "asyncio.subprocess.Process | None" = None

    async def act(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        raise DroppedError


async def killed(world: World, day: date, moment: Moment, nth: int) -> bool:
    """Run the program for a day; it dies at its `nth` request to bucket or BigQuery. Return False if it had fewer."""
    fault = Kill("", moment, nth)
    async with (
        HttpProxy(world.stack_env["BIGQUERY_EMULATOR_HOST"]) as warehouse,
        HttpProxy(world.stack_env["STORAGE_EMULATOR_HOST"]) as storage,
    ):
        warehouse.faults.add(fault)
        storage.faults.add(fault)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "batch_ingest", "--entity", "products", "--from-source", "--date", str(day)),
            env={
                **world.environment,
                "BIGQUERY_EMULATOR_HOST": warehouse.address,
                "STORAGE_EMULATOR_HOST": storage.address,
                "EYDP_BATCH_LEASE_SECONDS": "1",
                "EYDP_BATCH_PART_MAX_BYTES": "6000",
                "EYDP_BATCH_MODE": "incremental",
            },
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        fault.process = process
        code = await asyncio.wait_for(process.wait(), 150)
    assert code in {0, -9}
    return code != 0


async def ends_well(world: World, day: date, prices: dict[int, float]) -> None:
    """Run a day again to its end; look at everything that it leaves."""
    report = await world.load("products", day, mode="incremental", part_max_bytes=6_000, lease_seconds=1)
    rows = await world.current("Products")
    assert {row["id"]: float(row["price"]) for row in rows} == prices
    assert len({row["id"] for row in await world.rows("Products")}) == len(await world.rows("Products"))
    assert await world.rows("Products_load") == []
    audit = (await world.rows("load_audit", "finished_at"))[-1]
    assert (audit["run_id"], audit["outcome"], audit["loaded_count"]) == (report.run_id, "loaded", len(prices))
    assert audit["source_count"] == audit["valid_count"] + audit["quarantined_count"]
    assert sorted(audit["objects"]) == sorted(report.objects)


async def changed(world: World, number: int) -> dict[int, float]:
    """Let the shop change a price; return all prices."""
    await world.shop.patch("products", number % golden.PRODUCTS + 1, price=1000 + number)
    async with world.session.get(f"{world.shop.base_url}/products", headers={"User-Agent": "test"}) as answer:
        return {record["id"]: float(record["price"]) for record in await answer.json()}


@pytest.mark.parametrize(("moment", "nth"), [("answer", 11), ("request", 17)])
async def test_a_loader_that_was_killed_and_started_again_ends_in_the_same_tables(
    world: World, moment: Moment, nth: int
) -> None:
    await world.load("products", FIRST, mode="incremental", part_max_bytes=6_000)
    prices = await changed(world, nth)

    assert await killed(world, FIRST + timedelta(days=1), moment, nth)

    await ends_well(world, FIRST + timedelta(days=1), prices)


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("moment", ["request", "answer"])
async def test_a_loader_killed_at_any_request_and_started_again_ends_in_the_same_tables(
    world: World, moment: Moment
) -> None:
    await world.load("products", FIRST, mode="incremental", part_max_bytes=6_000)
    for nth in range(1, 200):
        prices = await changed(world, nth)
        died = await killed(world, FIRST + timedelta(days=nth), moment, nth)
        await ends_well(world, FIRST + timedelta(days=nth), prices)
        if not died:
            break
    assert nth > 15


@pytest.mark.long
@pytest.mark.timeout(3000)
async def test_a_loader_killed_at_fifty_random_moments_ends_in_the_same_tables(world: World) -> None:
    await world.load("products", FIRST, mode="incremental", part_max_bytes=6_000)
    chance = random.Random(5)
    for number in range(50):
        prices = await changed(world, number)
        day = FIRST + timedelta(days=number + 1)
        for _ in range(chance.randrange(1, 3)):
            await killed(world, day, chance.choice(["request", "answer"]), chance.randrange(1, 25))
        await ends_well(world, day, prices)
