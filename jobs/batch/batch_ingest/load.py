"""Loads that end in one state however often they are repeated.

Into the entities' tables goes one load job, which fills a table beside them, and one MERGE, which is atomic and changes
nothing when it is done again. Their job ids name the run and the try: within a try a lost answer starts no second
job, and the next try does not meet jobs whose rows are gone.

Rows of quarantine are appended, so what counts is what the table holds: it is looked at first, and a job that left no
trace in it is followed by one with the next number.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from google.api_core.exceptions import GoogleAPICallError

from batch_ingest.entities import Entity
from batch_ingest.identity import Run
from batch_ingest.merge import merge_sql
from dataplatform import schemas
from dataplatform.errors import BusyError, InvalidDataError
from dataplatform.retry import Verdict, classify, describe
from dataplatform.settings import PlatformSettings
from dataplatform.warehouse import Warehouse

_MAX_LOADS = 100


class Loader:
    """Loads of the raw dataset. All methods may be repeated."""

    def __init__(self, warehouse: Warehouse, platform: PlatformSettings) -> None:
        self._warehouse = warehouse
        self._platform = platform

    async def rows(self, entity: Entity) -> int:
        """Return how many rows the table has, without those of records that were removed."""
        table = self._platform.raw_table(entity.table.name)
        found = await self._ask(f"SELECT COUNTIF(_deleted IS NOT TRUE) AS n FROM `{table}`")  # noqa: S608 - the settings check the name
        return int(found[0]["n"])

    async def merge(
        self, run: Run, uris: Sequence[str], count: int, *, key: str, removed: Sequence[int] | None = None
    ) -> list[str]:
        """Bring the `count` lines of the parts at `uris` into the entity's table; return the jobs that did it.

        Without `removed` they are all records of the run, and what they miss is marked as removed; with it they are
        only what changed. Readers see the table before or after, never between. `key` names this try.

        Raises:
            InvalidDataError: BigQuery refuses the rows, or made another number of them.
            BusyError: another run fills the load table at the same time.
            UnavailableError: BigQuery did not answer within the retry deadline.
        """
        jobs = [await self._fill(run, uris, count, key)] if count else []
        try:
            jobs.append(await self._merge(run, uris, count, key, removed))
        except GoogleAPICallError as error:
            if "the load table holds another run" in str(error):
                raise BusyError(f"another run of {run.entity.name} is loading at the same time: try again") from error
            raise
        return jobs

    async def clear(self, entity: Entity) -> None:
        """Empty the load table. Raises UnavailableError when BigQuery did not answer within the retry deadline."""
        await self._ask(f"TRUNCATE TABLE `{self._platform.raw_table(entity.load_table.name)}`")

    async def _fill(self, run: Run, uris: Sequence[str], count: int, key: str) -> str:
        """Make the load table hold the lines of the parts and no others; return the job that did it."""
        table = self._platform.raw_table(run.entity.load_table.name)
        # Filling it again does no harm, so its id needs to be good for this try alone.
        job, rows = await _refusable(
            self._warehouse.load(
                uris,
                table,
                run.entity.load_table.columns,
                job_id=self._job(run.entity.load_table.name, f"{run.run_id}_{key}"),
                truncate=True,
                labels=_labels(run),
            ),
            table,
        )
        if rows != count:
            raise InvalidDataError(f"load job {job} made {rows} rows in {table} of {count} records")
        return job

    async def _merge(self, run: Run, uris: Sequence[str], count: int, key: str, removed: Sequence[int] | None) -> str:
        from google.cloud.bigquery import ArrayQueryParameter, ScalarQueryParameter

        parameters: list[ArrayQueryParameter | ScalarQueryParameter] = [
            ArrayQueryParameter("uris", "STRING", uris),
            ScalarQueryParameter("count", "INT64", count),
            ScalarQueryParameter("run_id", "STRING", run.run_id),
            ScalarQueryParameter("received_at", "TIMESTAMP", run.received_at),
        ]
        if removed is not None:
            parameters.append(ArrayQueryParameter("removed", "INT64", removed))
        sql = merge_sql(
            run.entity,
            self._platform.raw_table(run.entity.table.name),
            self._platform.raw_table(run.entity.load_table.name),
            all_records=removed is None,
        )
        # A merge that is done again changes nothing, so its id needs to be good for this try alone.
        return await self._warehouse.execute(
            sql, parameters, job_id=self._job(run.entity.table.name, f"{run.run_id}_{key}"), labels=_labels(run)
        )

    async def quarantine(self, run: Run, uri: str, rows: Sequence[dict[str, Any]]) -> list[str]:
        """Make `bq_raw.quarantine` hold the rows of object `uri` once; return the jobs that did it.

        Raises:
            InvalidDataError: BigQuery refuses the rows.
            BusyError: the rows vanish again and again.
            UnavailableError: BigQuery did not answer within the retry deadline.
        """
        from google.cloud.bigquery import ScalarQueryParameter

        table = self._platform.raw_table(schemas.QUARANTINE.name)
        sql = f"SELECT COUNT(*) AS n FROM `{table}` WHERE quarantined_at = @at AND raw_uri = @uri"  # noqa: S608 - as above
        parameters = [
            ScalarQueryParameter("at", "TIMESTAMP", run.received_at),
            ScalarQueryParameter("uri", "STRING", uri),
        ]

        async def held() -> bool:
            found = await self._warehouse.query(sql, parameters, labels=_labels(run))
            return bool(found[0]["n"] == len(rows))

        async def load(job_id: str) -> tuple[str, int]:
            return await self._warehouse.load_rows(
                rows, table, schemas.QUARANTINE.columns, job_id=job_id, labels=_labels(run)
            )

        key = uri.rpartition("/")[2].partition(".")[0]  # the digest of what is in it
        return await _until_held(self._job(schemas.QUARANTINE.name, key), table, len(rows), held, load)

    async def audit(self, row: dict[str, Any], key: str) -> None:
        """Append one row to `bq_raw.load_audit`; `key` names this try, so that a lost answer does not double it."""
        table = schemas.LOAD_AUDIT
        name = self._platform.raw_table(table.name)
        await self._warehouse.load_rows([row], name, table.columns, job_id=self._job(table.name, key))

    async def _ask(self, sql: str) -> list[dict[str, Any]]:
        return await self._warehouse.query(sql)

    def _job(self, table: str, key: str) -> str:
        return f"batch_{self._platform.dataset_raw}_{table}_{key}"


async def _until_held(
    job_id: str,
    table: str,
    count: int,
    held: Callable[[], Awaitable[bool]],
    load: Callable[[str], Awaitable[tuple[str, int]]],
) -> list[str]:
    jobs: list[str] = []
    for number in range(1, _MAX_LOADS + 1):
        if await held():
            return jobs
        job, rows = await _refusable(load(f"{job_id}_{number}"), table)
        if rows != count:
            raise InvalidDataError(f"load job {job} made {rows} rows in {table} of {count} records")
        jobs.append(job)
    if await held():
        return jobs
    raise BusyError(f"{table} was replaced by other runs {_MAX_LOADS} times: see who else loads it, and run again")


async def _refusable(load: Awaitable[tuple[str, int]], table: str) -> tuple[str, int]:
    """Return what a load returns; say it as invalid data when BigQuery will never take it."""
    try:
        return await load
    except GoogleAPICallError as error:
        if classify(error) is not Verdict.PERMANENT:
            raise
        raise InvalidDataError(f"BigQuery refused a load into {table}: {describe(error)}") from error


def _labels(run: Run) -> dict[str, str]:
    return {"entity": run.entity.name, "run_id": run.run_id}
