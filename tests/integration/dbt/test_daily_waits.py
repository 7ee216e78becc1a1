"""The daily run waits for the loads of its day, by a clock that the test moves."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from dataplatform.clients import storage_client
from dataplatform.clock import SystemClock
from dataplatform.errors import UnavailableError
from dataplatform.metrics import DbtMetrics
from dataplatform.rawzone import RawZone
from dataplatform.retry import Retrier, RetryPolicy
from dataplatform.settings import EmulatorSettings, PlatformSettings
from dataplatform.warehouse import Warehouse as Client
from dbt_job.daily import Daily
from dbt_job.runner import DbtOutcome
from dbt_job.settings import DbtSettings
from dbt_job.summary import Summary, Verdict
from support.clock import FakeClock

from .conftest import NewWarehouse

LEASE_SECONDS = 100_000


class _Clock(FakeClock):
    """The lease is not renewed: its keeper sleeps until the run is over."""

    async def sleep(self, seconds: float) -> None:
        if seconds >= LEASE_SECONDS / 3:
            await asyncio.Event().wait()
        await super().sleep(seconds)


def test_a_run_that_needs_its_loads_looks_until_the_wait_is_over(
    new_warehouse: NewWarehouse, stack_env: dict[str, str], tmp_path: Path
) -> None:
    shop, clock = new_warehouse(), _Clock()
    commands: list[list[str]] = []
    platform = PlatformSettings(
        project=shop.project, bucket=f"{shop.raw.replace('_', '-')}-bucket", dataset_raw=shop.raw
    )
    storage = storage_client(platform, EmulatorSettings(storage_emulator_host=stack_env["STORAGE_EMULATOR_HOST"]))
    storage.create_bucket(platform.bucket_name)
    retrier = Retrier(RetryPolicy(10), SystemClock())

    def run_dbt(command: Sequence[str]) -> DbtOutcome:
        commands.append(list(command))
        return DbtOutcome(Summary(command[0], "local", Verdict.OK, 0.0), tmp_path)

    daily = Daily(
        platform=platform,
        own=DbtSettings(wait_seconds=70, require_loads=True, lease_seconds=LEASE_SECONDS),
        warehouse=Client(shop.client, retrier, component="dbt", timeout_seconds=10),
        zone=RawZone(storage, platform.bucket_name, retrier, timeout_seconds=10),
        clock=clock,
        metrics=DbtMetrics(CollectorRegistry()),
        run_dbt=run_dbt,
    )
    with pytest.raises(UnavailableError, match="products and users of 2026-11-24 are not loaded yet"):
        daily.run()
    assert clock.sleeps == [30, 30, 10]
    assert commands == []
