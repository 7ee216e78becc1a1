"""Loads that end in one state however often they are repeated: a table that holds exactly one run, rows once.

A job id alone can't promise that. The job of a run that was loaded in the morning is done for ever, though another
run may have replaced its rows since. So what counts is what the table holds: it is looked at first, and a job that
left no trace in it is followed by one with the next number.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from google.api_core.exceptions import GoogleAPICallError

from batch_ingest.identity import Run
from dataplatform import schemas
from dataplatform.errors import BusyError, InvalidDataError
from dataplatform.retry import Verdict, classify, describe
from dataplatform.settings import PlatformSettings
from dataplatform.warehouse import Warehouse

_MAX_LOADS = 100


class Loader:
    """Loads of the raw dataset. All methods may be repeated, and called by two processes at once."""

    def __init__(self, warehouse: Warehouse, platform: PlatformSettings) -> None:
        self._warehouse = warehouse
        self._platform = platform

    async def replace(self, run: Run, uris: Sequence[str], count: int) -> list[str]:
        """Make the entity's table hold the `count` rows of the run and no others; return the jobs that did it.

        A load that truncates is one atomic step: readers see the last run until they see this one. No job is needed
        when the table holds the run already.

        Raises:
            InvalidDataError: BigQuery refuses the rows, or made another number of them.
            BusyError: other runs replace the table again and again.
            UnavailableError: BigQuery did not answer within the retry deadline.
        """
        table = self._platform.raw_table(run.entity.table.name)
        labels = _labels(run)
        # The table's name comes from the settings, whose names hold no quotes.
        sql = f"SELECT run_id, COUNT(*) AS n FROM `{table}` GROUP BY run_id LIMIT 2"  # noqa: S608 - the settings check the name

        async def held() -> bool:
            found = await self._warehouse.query(sql, labels=labels)
            return [(row["run_id"], row["n"]) for row in found] == [(run.run_id, count)]

        async def load(job_id: str) -> tuple[str, int]:
            return await self._warehouse.load(
                uris, table, run.entity.table.columns, job_id=job_id, truncate=True, labels=labels
            )

        return await _until_held(self._job(run.entity.table.name, run.run_id), table, count, held, load)

    async def quarantine(self, run: Run, uri: str, rows: Sequence[dict[str, Any]], key: str) -> list[str]:
        """Make `bq_raw.quarantine` hold the rows of object `uri` once; return the jobs that did it.

        `key` is the digest of the object. Raises what `replace` raises.
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

        return await _until_held(self._job(schemas.QUARANTINE.name, key), table, len(rows), held, load)

    async def audit(self, row: dict[str, Any], key: str) -> None:
        """Append one row to `bq_raw.load_audit`; `key` names this try, so that a lost answer does not double it."""
        table = schemas.LOAD_AUDIT
        name = self._platform.raw_table(table.name)
        await self._warehouse.load_rows([row], name, table.columns, job_id=self._job(table.name, key))

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
        try:
            job, rows = await load(f"{job_id}_{number}")
        except GoogleAPICallError as error:
            if classify(error) is not Verdict.PERMANENT:
                raise
            raise InvalidDataError(f"BigQuery refused a load into {table}: {describe(error)}") from error
        if rows != count:
            raise InvalidDataError(f"load job {job} made {rows} rows in {table} of {count} records")
        jobs.append(job)
    if await held():
        return jobs
    raise BusyError(f"{table} was replaced by other runs {_MAX_LOADS} times: see who else loads it, and run again")


def _labels(run: Run) -> dict[str, str]:
    return {"entity": run.entity.name, "run_id": run.run_id}
