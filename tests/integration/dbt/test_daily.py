"""The daily run: what it keeps, what it tells, and what it leaves alone."""

import asyncio
import json
from pathlib import Path

import pytest

from dataplatform.clients import storage_client
from dataplatform.clock import SystemClock
from dataplatform.rawzone import RawZone
from dataplatform.retry import Retrier, RetryPolicy
from dataplatform.settings import EmulatorSettings, PlatformSettings
from dbt_job.daily import LEASE

from .conftest import NewWarehouse
from .raw_rows import golden_event_rows, golden_product_rows, golden_user_rows
from .warehouse import Warehouse

HELD = {"run_id": "other", "by": "elsewhere", "expires_at": "2999-01-01T00:00:00Z"}


@pytest.fixture
def shop(new_warehouse: NewWarehouse) -> Warehouse:
    warehouse = new_warehouse()
    warehouse.insert("Products", golden_product_rows())
    warehouse.insert("Users", golden_user_rows())
    warehouse.insert("carts_events", golden_event_rows())
    return warehouse


@pytest.fixture
def zone(stack_env: dict[str, str], shop: Warehouse) -> RawZone:
    platform = PlatformSettings(project=shop.project, bucket=f"{shop.raw.replace('_', '-')}-bucket")
    client = storage_client(platform, EmulatorSettings(storage_emulator_host=stack_env["STORAGE_EMULATOR_HOST"]))
    client.create_bucket(platform.bucket_name)
    return RawZone(client, platform.bucket_name, Retrier(RetryPolicy(10), SystemClock()), timeout_seconds=10)


@pytest.fixture
def variables(stack_env: dict[str, str], shop: Warehouse, tmp_path: Path) -> dict[str, str]:
    return {
        "STORAGE_EMULATOR_HOST": stack_env["STORAGE_EMULATOR_HOST"],
        "EYDP_BUCKET": f"{shop.raw.replace('_', '-')}-bucket",
        "EYDP_DBT_RUN_ID": "today",
        "EYDP_DBT_TARGET_PATH": str(tmp_path / "target"),
        "EYDP_DBT_METRICS_FILE": str(tmp_path / "metrics.prom"),
    }


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_daily_run_publishes_keeps_its_artifacts_and_tells_of_itself(
    shop: Warehouse, zone: RawZone, variables: dict[str, str], tmp_path: Path
) -> None:
    done = shop.dbt("daily", **variables)
    # The audit has no load of this shop: its products and users are stale, and its marts right for what there is.
    assert done.returncode == 65, done.stdout + done.stderr
    assert shop.one("select count(*) from {marts}.fact_orders") == 14
    names = {name.rpartition("/")[2] for name in asyncio.run(zone.names("_dbt/"))}
    assert names == {"manifest.json", "catalog.json", "run_results.json", "sources.json", "index.html"}
    [row] = shop.query("select run_id, outcome, error, array_length(objects) as objects from {raw}.load_audit")
    assert (row["run_id"], row["outcome"], row["objects"]) == ("today", "loaded", 5)
    assert "source freshness" in row["error"]
    assert "dbt_last_success_timestamp_seconds" in (tmp_path / "metrics.prom").read_text()


def test_a_second_daily_run_leaves_with_one_sentence(shop: Warehouse, zone: RawZone, variables: dict[str, str]) -> None:
    asyncio.run(zone.replace(LEASE, json.dumps(HELD).encode(), generation=0))
    done = shop.dbt("daily", **variables)
    assert done.returncode == 75, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1
    assert "run other on elsewhere is at it" in done.stderr
    assert shop.query("select * from {raw}.load_audit") == []
