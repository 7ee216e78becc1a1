"""BigQuery jobs that may be started twice and are done once: loads of rows, statements, copies; and staging tables."""

import asyncio
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from google.api_core.exceptions import GoogleAPICallError, NotFound

from dataplatform import schemas
from dataplatform.errors import InvalidDataError
from dataplatform.retry import Retrier, Verdict, classify, describe
from dataplatform.warehouse import Warehouse
from eydp.provision.plan import LABELS, table_resource


class Jobs:
    """A BigQuery client, which blocks and runs in threads. Tables are named `project.dataset.table`."""

    def __init__(self, client: Any, warehouse: Warehouse, retrier: Retrier, *, component: str, timeout: float) -> None:
        """`component` labels every job; `timeout` is in seconds, of one request."""
        self.warehouse = warehouse
        self._client = client
        self._retry = retrier
        self._labels = {"component": component}
        self._timeout = timeout

    async def create_table(self, name: str, table: schemas.Table, expires: datetime | None = None) -> None:
        """Create a table, partitioned and clustered as its contract says, or leave the one that is there."""
        from google.cloud import bigquery

        def run() -> None:
            wanted = bigquery.Table.from_api_repr(table_resource(table, name))
            wanted.expires = expires
            self._client.create_table(wanted, exists_ok=True, timeout=self._timeout, retry=None)

        await self._retry(f"creating {name}", lambda: asyncio.to_thread(run))

    async def drop_table(self, name: str) -> None:
        """Drop a table if it is there."""

        def run() -> None:
            self._client.delete_table(name, not_found_ok=True, timeout=self._timeout, retry=None)

        await self._retry(f"dropping {name}", lambda: asyncio.to_thread(run))

    async def create_dataset(self, name: str, location: str, *, keep_days: int) -> None:
        """Create a dataset whose tables BigQuery drops after some days."""
        from google.cloud import bigquery

        def run() -> None:
            wanted = bigquery.Dataset(name)
            wanted.location = location
            wanted.labels = LABELS
            wanted.default_table_expiration_ms = keep_days * 86_400_000
            self._client.create_dataset(wanted, exists_ok=True, timeout=self._timeout, retry=None)

        await self._retry(f"creating {name}", lambda: asyncio.to_thread(run))

    async def drop_dataset(self, name: str) -> None:
        """Drop a dataset with all that is in it."""

        def run() -> None:
            self._client.delete_dataset(
                name, delete_contents=True, not_found_ok=True, timeout=self._timeout, retry=None
            )

        await self._retry(f"dropping {name}", lambda: asyncio.to_thread(run))

    async def keep(self, name: str) -> None:
        """See that a table never expires: what it was copied from does."""

        def run() -> None:
            table = self._client.get_table(name, timeout=self._timeout, retry=None)
            if table.expires is not None:
                table.expires = None
                self._client.update_table(table, ["expires"], timeout=self._timeout, retry=None)

        await self._retry(f"keeping {name}", lambda: asyncio.to_thread(run))

    async def described(self, name: str) -> dict[str, Any] | None:
        """Return a table's resource in the REST API's form, or None when there is none."""

        def run() -> dict[str, Any] | None:
            try:
                found = self._client.get_table(name, timeout=self._timeout, retry=None)
            except NotFound:
                return None
            resource: dict[str, Any] = found.to_api_repr()
            return resource

        return await self._retry(f"reading {name}", lambda: asyncio.to_thread(run))

    async def load(
        self, lines: Sequence[bytes], name: str, columns: Iterable[schemas.Column], *, job_id: str, truncate: bool
    ) -> int:
        """Load JSON lines that are sent with the job; return how many rows they became.

        Raises:
            InvalidDataError: BigQuery refuses a row.
            UnavailableError: it did not answer within the retry deadline.
        """
        from google.cloud import bigquery

        data = b"".join(lines)
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

        def start(attempt_id: str) -> Any:
            return self._client.load_table_from_file(
                io.BytesIO(data),
                name,
                size=len(data),
                num_retries=0,
                job_id=attempt_id,
                job_config=config,
                timeout=self._timeout,
            )

        try:
            _, job = await self.warehouse.job(start, job_id, what="load job")
        except GoogleAPICallError as error:
            if classify(error) is not Verdict.PERMANENT:
                raise
            raise InvalidDataError(f"BigQuery refused load job {job_id} into {name}: {describe(error)}") from error
        return int(job.output_rows or 0)

    async def statement(self, sql: str, parameters: Iterable[Any], *, job_id: str) -> int:
        """Run a statement that changes rows, once; return how many it changed. Raises what `Warehouse.load` raises."""
        from google.cloud import bigquery

        config = bigquery.QueryJobConfig(query_parameters=list(parameters), use_legacy_sql=False, labels=self._labels)

        def start(attempt_id: str) -> Any:
            return self._client.query(
                sql, job_id=attempt_id, job_config=config, timeout=self._timeout, retry=None, job_retry=None
            )

        _, job = await self.warehouse.job(start, job_id, what="statement")
        return int(job.num_dml_affected_rows or 0)

    async def replace(self, name: str, source: str, *, job_id: str) -> None:
        """Make a table what another one is, in one step: readers see the old rows until they see the new ones.

        The source must have been filled by loads and statements: rows that were just streamed may be left out.
        """
        from google.cloud import bigquery

        config = bigquery.CopyJobConfig(
            write_disposition="WRITE_TRUNCATE", create_disposition="CREATE_IF_NEEDED", labels=self._labels
        )

        def start(attempt_id: str) -> Any:
            return self._client.copy_table(
                source, name, job_id=attempt_id, job_config=config, timeout=self._timeout, retry=None
            )

        await self.warehouse.job(start, job_id, what="copy job")

    async def ended(self, job_id: str) -> None:
        """Return when no job of this id is at work any more, however it ended; at once when there was none."""

        def run() -> None:
            try:
                job = self._client.get_job(job_id, timeout=self._timeout, retry=None)
            except NotFound:
                return
            if job.state != "DONE":
                try:
                    job.result(timeout=self._timeout, retry=None)
                except GoogleAPICallError:
                    if not job.error_result:
                        raise  # it is the waiting that failed

        await self._retry(f"waiting for {job_id}", lambda: asyncio.to_thread(run))
