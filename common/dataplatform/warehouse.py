"""BigQuery jobs: queries and idempotent loads, each with labels and a deadline.

A load's job id follows from what it loads, so that repeating it is a no-op: 409 means that the job exists, and then
its outcome is awaited. Only a job that surely failed gets a new attempt number in its id.
"""

import asyncio
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.api_core.exceptions import Conflict

from dataplatform import schemas
from dataplatform.errors import UnavailableError
from dataplatform.retry import Retrier, Verdict, classify

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
            job = self._client.query(sql, job_config=config, timeout=self._timeout, retry=None, job_retry=None)
            return [dict(row) for row in job.result(timeout=self._job_timeout, retry=None, job_retry=None)]

        return await self._retry("a BigQuery query", lambda: asyncio.to_thread(run))

    async def load(
        self, uris: Sequence[str], table: str, columns: Iterable[schemas.Column], *, job_id: str, truncate: bool
    ) -> tuple[str, int]:
        """Load gzip'd JSON lines into `table`; return the id of the job that did it and its row count.

        Raises:
            google.api_core.exceptions.GoogleAPICallError: the job failed for good.
            UnavailableError: it failed in passing too often, or the deadline passed.
        """
        from google.cloud import bigquery

        config = bigquery.LoadJobConfig(
            schema=schemas.api_fields(columns),
            source_format=bigquery.SourceFormat.NEWLINE_DELIMITED_JSON,
            autodetect=False,
            max_bad_records=0,
            ignore_unknown_values=False,
            write_disposition="WRITE_TRUNCATE" if truncate else "WRITE_APPEND",
            create_disposition="CREATE_NEVER",
            labels=self._labels,
        )

        def run(attempt_id: str) -> int:
            try:
                job = self._client.load_table_from_uri(
                    list(uris), table, job_id=attempt_id, job_config=config, timeout=self._timeout, retry=None
                )
            except Conflict:
                job = self._client.get_job(attempt_id, timeout=self._timeout, retry=None)
            job.result(timeout=self._job_timeout, retry=None)
            return int(job.output_rows or 0)

        last: Exception | None = None
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            attempt_id = job_id if attempt == 1 else f"{job_id}_a{attempt}"
            try:
                rows = await self._retry(
                    f"load job {attempt_id}", functools.partial(asyncio.to_thread, run, attempt_id)
                )
            except UnavailableError as error:
                last = error
            except Exception as error:
                if classify(error) is not Verdict.TRANSIENT:
                    raise
                last = error
            else:
                return attempt_id, rows
        raise UnavailableError(f"load job {job_id} failed {_MAX_ATTEMPTS} times, last with: {last}") from last
