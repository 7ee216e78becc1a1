"""BigQuery jobs: queries and idempotent loads, each with labels and a deadline.

A load's job id follows from what it loads, so that repeating it is a no-op: 409 means that the job exists, and then
its outcome is awaited. Only a job that surely failed gets a new attempt number in its id; an answer that was lost or
a wait that was too long never starts a second job.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from google.api_core.exceptions import Conflict

from dataplatform import schemas
from dataplatform.errors import UnavailableError
from dataplatform.retry import Retrier, Verdict, classify, describe

_MAX_ATTEMPTS = 5


class Warehouse:
    """A BigQuery client with the platform's habits. `client` blocks and runs in threads."""

    def __init__(
        self, client: Any, retrier: Retrier, *, component: str, timeout_seconds: float, job_timeout_seconds: float = 600
    ) -> None:
        """`component` labels every job, so that a bill can be read."""
        self._client = client
        self._retry = retrier
        self._labels = {"component": component}
        self._timeout = timeout_seconds
        self._job_timeout = job_timeout_seconds

    async def query(
        self, sql: str, parameters: Iterable[Any] = (), *, labels: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """Run a query and return its rows as dictionaries. `parameters` are BigQuery query parameters."""
        from google.cloud import bigquery

        given = list(parameters)

        def run() -> list[dict[str, Any]]:
            config = bigquery.QueryJobConfig(
                query_parameters=given, use_legacy_sql=False, labels={**self._labels, **(labels or {})}
            )
            rows = self._client.query_and_wait(
                sql,
                job_config=config,
                api_timeout=self._timeout,
                wait_timeout=self._job_timeout,
                retry=None,
                job_retry=None,
            )
            return [dict(row) for row in rows]

        return await self._retry("a BigQuery query", lambda: asyncio.to_thread(run))

    async def execute(
        self, sql: str, parameters: Iterable[Any] = (), *, job_id: str, labels: Mapping[str, str] | None = None
    ) -> str:
        """Run a statement that changes rows, as one job; return the id of the job that did it.

        Raises what `load` raises.
        """
        from google.cloud import bigquery

        config = bigquery.QueryJobConfig(
            query_parameters=list(parameters), use_legacy_sql=False, labels={**self._labels, **(labels or {})}
        )

        def start(attempt_id: str) -> Any:
            return self._client.query(
                sql, job_id=attempt_id, job_config=config, timeout=self._timeout, retry=None, job_retry=None
            )

        done, _ = await self.job(start, job_id, what="statement")
        return done

    async def load(
        self,
        uris: Sequence[str],
        table: str,
        columns: Iterable[schemas.Column],
        *,
        job_id: str,
        truncate: bool,
        labels: Mapping[str, str] | None = None,
    ) -> tuple[str, int]:
        """Load JSON lines, gzip'd or not, into `table`; return the id of the job that did it and its row count.

        The job is atomic: with `truncate` readers see the old rows until they see the new ones.

        Raises:
            google.api_core.exceptions.GoogleAPICallError: the job failed for good, or could not be started.
            UnavailableError: it failed in passing too often, or did not end within the retry deadline.
        """
        config = self._load_config(columns, truncate=truncate, labels=labels)

        def start(attempt_id: str) -> Any:
            return self._client.load_table_from_uri(
                list(uris), table, job_id=attempt_id, job_config=config, timeout=self._timeout, retry=None
            )

        return await self._load(start, job_id)

    async def load_rows(
        self,
        rows: Iterable[Mapping[str, Any]],
        table: str,
        columns: Iterable[schemas.Column],
        *,
        job_id: str,
        labels: Mapping[str, str] | None = None,
    ) -> tuple[str, int]:
        """Append a few megabytes of rows at most, sent with the job itself. Returns and raises what `load` does."""
        config = self._load_config(columns, truncate=False, labels=labels)
        given = [dict(row) for row in rows]

        def start(attempt_id: str) -> Any:
            return self._client.load_table_from_json(
                given, table, job_id=attempt_id, job_config=config, timeout=self._timeout, num_retries=0
            )

        return await self._load(start, job_id)

    def _load_config(
        self, columns: Iterable[schemas.Column], *, truncate: bool, labels: Mapping[str, str] | None
    ) -> Any:
        from google.cloud import bigquery

        return bigquery.LoadJobConfig(
            schema=schemas.api_fields(columns),
            source_format=bigquery.SourceFormat.NEWLINE_DELIMITED_JSON,
            autodetect=False,
            max_bad_records=0,
            ignore_unknown_values=False,
            write_disposition="WRITE_TRUNCATE" if truncate else "WRITE_APPEND",
            create_disposition="CREATE_NEVER",
            labels={**self._labels, **(labels or {})},
        )

    async def _load(self, start: Callable[[str], Any], job_id: str) -> tuple[str, int]:
        attempt_id, job = await self.job(start, job_id, what="load job")
        return attempt_id, int(job.output_rows or 0)

    async def job(self, start: Callable[[str], Any], job_id: str, *, what: str) -> tuple[str, Any]:
        """Return the id of the job that did it and the job, ended well; `start` submits a job of the id it is given.

        Raises what `load` raises.
        """
        attempt = 1

        def run() -> tuple[str, Any]:
            nonlocal attempt
            attempt_id = job_id if attempt == 1 else f"{job_id}_a{attempt}"
            try:
                job = start(attempt_id)
            except Conflict:
                job = self._client.get_job(attempt_id, timeout=self._timeout, retry=None)
            try:
                job.result(timeout=self._job_timeout, retry=None)
            except Exception as error:
                # Without an error result it is the waiting that failed, not the job: the next try finds the same job.
                if job.error_result and classify(error) is Verdict.TRANSIENT:
                    attempt += 1
                    if attempt > _MAX_ATTEMPTS:
                        raise UnavailableError(
                            f"{what} {job_id} failed {_MAX_ATTEMPTS} times, last with: {describe(error)}"
                        ) from error
                raise
            return attempt_id, job

        return await self._retry(f"{what} {job_id}", lambda: asyncio.to_thread(run))
