"""Loading until the table holds the run, against a warehouse that only counts."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from google.api_core import exceptions as google

from batch_ingest.entities import ENTITIES
from batch_ingest.identity import Run
from batch_ingest.load import Loader
from dataplatform.errors import BusyError, InvalidDataError
from dataplatform.settings import PlatformSettings

RUN = Run(ENTITIES["products"], date(2026, 11, 24), "20261124-ab", "fakestore", datetime(2026, 11, 24, tzinfo=UTC))
JOB = "batch_bq_raw_Products_20261124-ab"


class Table:
    """A table that holds some run; a load changes that unless its job is an old one."""

    def __init__(self, holds: list[dict[str, Any]], old_jobs: int = 0, rows: int = 2) -> None:
        self.holds = holds
        self.old_jobs = old_jobs
        self.rows = rows
        self.jobs: list[str] = []
        self.error: Exception | None = None

    async def query(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        return self.holds

    async def load(self, *_: Any, job_id: str, **__: Any) -> tuple[str, int]:
        if self.error:
            raise self.error
        self.jobs.append(job_id)
        if len(self.jobs) > self.old_jobs:
            self.holds = [{"run_id": RUN.run_id, "n": self.rows}]
        return job_id, self.rows


async def replace(table: Any) -> list[str]:
    return await Loader(table, PlatformSettings(project="p")).replace(RUN, ["gs://b/o"], 2)


@pytest.mark.parametrize(
    "holds",
    [[], [{"run_id": "other", "n": 2}], [{"run_id": RUN.run_id, "n": 1}], [{"run_id": RUN.run_id, "n": 2}, {}]],
    ids=["nothing", "another run", "a part of it", "more than it"],
)
async def test_a_table_that_holds_anything_else_is_replaced_by_one_job(holds: list[dict[str, Any]]) -> None:
    table = Table([{"run_id": "", "n": 0, **row} for row in holds])

    assert await replace(table) == [f"{JOB}_1"]


async def test_a_table_that_holds_the_run_needs_no_job() -> None:
    assert await replace(Table([{"run_id": RUN.run_id, "n": 2}])) == []


async def test_jobs_of_the_past_whose_rows_are_gone_are_followed_by_a_new_one() -> None:
    assert await replace(Table([], old_jobs=2)) == [f"{JOB}_1", f"{JOB}_2", f"{JOB}_3"]


async def test_a_table_that_others_replace_again_and_again_is_given_up() -> None:
    with pytest.raises(BusyError, match=r"p\.bq_raw\.Products was replaced by other runs 100 times"):
        await replace(Table([], old_jobs=1_000))


async def test_a_job_that_makes_another_number_of_rows_is_an_error() -> None:
    with pytest.raises(InvalidDataError, match=r"made 3 rows in p\.bq_raw\.Products of 2 records"):
        await replace(Table([], rows=3))


async def test_rows_that_bigquery_refuses_are_invalid_data() -> None:
    table = Table([])
    table.error = google.BadRequest("no such field: nope", errors=[{"reason": "invalid"}])

    with pytest.raises(InvalidDataError, match=r"BigQuery refused a load into p\.bq_raw\.Products: .*no such field"):
        await replace(table)


async def test_a_missing_permission_stays_what_it_is() -> None:
    table = Table([])
    table.error = google.Forbidden("no", errors=[{"reason": "accessDenied"}])

    with pytest.raises(google.Forbidden):
        await replace(table)
