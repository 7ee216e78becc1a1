"""Loads against a warehouse that only counts."""

from typing import Any

import pytest
from google.api_core import exceptions as google

from batch_ingest.load import Loader
from dataplatform.errors import BusyError, InvalidDataError
from dataplatform.settings import PlatformSettings

from .records import run

LOADED = "batch_bq_raw_Products_load_20261124-ab_7"
MERGED = "batch_bq_raw_Products_20261124-ab_7"
ROWS: list[dict[str, Any]] = [{"quarantine_id": "a"}, {"quarantine_id": "b"}]


class Warehouse:
    """Notes jobs. Quarantine rows that it is given show after `old_jobs` loads, as if those were done long ago."""

    def __init__(self, *, holds: int = 0, old_jobs: int = 0, rows: int = 2) -> None:
        self.holds = holds
        self.old_jobs = old_jobs
        self.rows = rows
        self.jobs: list[str] = []
        self.error: Exception | None = None
        self.merge_error: Exception | None = None
        self.parameters: dict[str, Any] = {}

    async def query(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        return [{"n": self.holds}]

    async def execute(self, _: str, parameters: Any, *, job_id: str, **__: Any) -> str:
        if self.merge_error:
            raise self.merge_error
        self.parameters = {each.name: each.values if hasattr(each, "values") else each.value for each in parameters}
        self.jobs.append(job_id)
        return job_id

    async def load(self, *_: Any, job_id: str, **__: Any) -> tuple[str, int]:
        if self.error:
            raise self.error
        self.jobs.append(job_id)
        if len(self.jobs) > self.old_jobs:
            self.holds = self.rows
        return job_id, self.rows

    load_rows = load


async def merge(warehouse: Any, count: int = 2, removed: list[int] | None = None) -> list[str]:
    loader = Loader(warehouse, PlatformSettings(project="p"))
    return await loader.merge(run(), ["gs://b/o"] * bool(count), count, key="7", removed=removed)


async def quarantine(warehouse: Any) -> list[str]:
    return await Loader(warehouse, PlatformSettings(project="p")).quarantine(run(), "gs://b/q/ab.jsonl.gz", ROWS)


async def test_records_are_loaded_beside_the_table_and_merged_into_it() -> None:
    assert await merge(Warehouse()) == [LOADED, MERGED]


async def test_a_run_of_which_nothing_is_left_to_load_is_merged_alone() -> None:
    warehouse = Warehouse()

    assert await merge(warehouse, count=0, removed=[3]) == [MERGED]
    assert (warehouse.parameters["count"], warehouse.parameters["removed"]) == (0, [3])


async def test_a_load_table_that_another_run_took_is_said_to_be_busy() -> None:
    warehouse = Warehouse()
    warehouse.merge_error = google.BadRequest("the load table holds another run; reason: invalidQuery")

    with pytest.raises(BusyError, match="another run of products is loading at the same time"):
        await merge(warehouse)


async def test_a_merge_that_bigquery_refuses_stays_what_it_is() -> None:
    warehouse = Warehouse()
    warehouse.merge_error = google.Forbidden("no", errors=[{"reason": "accessDenied"}])

    with pytest.raises(google.Forbidden):
        await merge(warehouse)


async def test_a_job_that_makes_another_number_of_rows_is_an_error() -> None:
    with pytest.raises(InvalidDataError, match=r"made 3 rows in p\.bq_raw\.Products_load of 2 records"):
        await merge(Warehouse(rows=3))


async def test_rows_that_bigquery_refuses_are_invalid_data() -> None:
    warehouse = Warehouse()
    warehouse.error = google.BadRequest("no such field: nope", errors=[{"reason": "invalid"}])

    with pytest.raises(InvalidDataError, match=r"refused a load into p\.bq_raw\.Products_load: .*no such field"):
        await merge(warehouse)


async def test_a_missing_permission_stays_what_it_is() -> None:
    warehouse = Warehouse()
    warehouse.error = google.Forbidden("no", errors=[{"reason": "accessDenied"}])

    with pytest.raises(google.Forbidden):
        await merge(warehouse)


@pytest.mark.parametrize("holds", [0, 1])
async def test_quarantine_that_holds_anything_else_gets_the_rows_by_one_job(holds: int) -> None:
    assert await quarantine(Warehouse(holds=holds)) == ["batch_bq_raw_quarantine_ab_1"]


async def test_quarantine_that_holds_the_rows_needs_no_job() -> None:
    assert await quarantine(Warehouse(holds=2)) == []


async def test_jobs_of_the_past_whose_rows_are_gone_are_followed_by_a_new_one() -> None:
    assert [job[-2:] for job in await quarantine(Warehouse(old_jobs=2))] == ["_1", "_2", "_3"]


async def test_rows_that_vanish_again_and_again_are_given_up() -> None:
    with pytest.raises(BusyError, match=r"p\.bq_raw\.quarantine was replaced by other runs 100 times"):
        await quarantine(Warehouse(old_jobs=1_000))
