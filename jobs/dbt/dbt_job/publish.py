"""The marts' tables before and after a build: staged for the audit, published after it.

Copy jobs cost nothing on BigQuery, whatever the table holds, and each replaces its table in one step: a reader sees
the old table or the new one, never a half. The tables follow each other within seconds.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from dbt_job.audit import ForeignKey, Mart

_AT_ONCE = 4


class Publisher:
    """Moves marts between their audited and their published names in one dataset. `client` is BigQuery's.

    Every method raises `google.api_core.exceptions.GoogleAPIError` when the warehouse refuses or is away.
    """

    def __init__(self, client: Any, dataset: str, *, timeout_seconds: float, job_timeout_seconds: float = 600) -> None:
        """`dataset` is `project.dataset`; the timeouts are of a request and of a copy job."""
        self._client = client
        self._dataset = dataset
        self._timeout = timeout_seconds
        self._job_timeout = job_timeout_seconds

    def stage(self, marts: Iterable[Mart], *, kept: Callable[[Mart], bool]) -> None:
        """Let the audit begin with what readers have: copy the marts that are `kept`, remove leftovers of the others.

        A build that failed its audit leaves nothing behind that the next one could build upon.
        """

        def one(mart: Mart) -> None:
            published = self._find(mart.table) if kept(mart) else None
            if published is None:
                self._delete(mart.audit_table)
            else:
                self._copy(published, mart.audit_table)

        self._each(one, marts)

    def publish(self, marts: Sequence[Mart]) -> list[str]:
        """Publish every mart that has an audited table, remove that, and return the names of the published tables."""
        audited = {mart.table: self._find(mart.audit_table) for mart in marts}
        ready = [mart for mart in marts if audited[mart.table] is not None]
        self._each(lambda mart: self._copy(audited[mart.table], mart.table), ready)
        # In their order: a foreign key needs the key that it refers to.
        for mart in ready:
            self._declare_keys(mart)
        self._each(lambda mart: self._delete(mart.audit_table), ready)
        return [mart.table for mart in ready]

    def _each(self, work: Callable[[Mart], None], marts: Iterable[Mart]) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(work, marts))

    def _copy(self, source: Any, name: str) -> None:
        target = self._find(name)
        if target is not None and _layout(target) != _layout(source):
            # A copy can't change how a table is partitioned.
            self._delete(name)
            target = None
        if target is None:
            target = bigquery.Table(f"{self._dataset}.{name}", schema=source.schema)
            target.time_partitioning = source.time_partitioning
            target.clustering_fields = source.clustering_fields
            self._client.create_table(target, exists_ok=True, timeout=self._timeout)
        config = bigquery.CopyJobConfig(
            write_disposition="WRITE_TRUNCATE", labels={"component": "dbt", "node": name.lower()}
        )
        job = self._client.copy_table(source, target.reference, job_config=config, timeout=self._timeout)
        job.result(timeout=self._job_timeout)
        target.schema, target.description, target.labels = source.schema, source.description, source.labels
        self._client.update_table(target, ["schema", "description", "labels"], timeout=self._timeout)

    def _declare_keys(self, mart: Mart) -> None:
        table = bigquery.Table(f"{self._dataset}.{mart.table}")
        table.table_constraints = bigquery.table.TableConstraints(
            primary_key=bigquery.table.PrimaryKey(columns=list(mart.primary_key)) if mart.primary_key else None,
            foreign_keys=[self._foreign_key(key) for key in mart.foreign_keys],
        )
        self._client.update_table(table, ["table_constraints"], timeout=self._timeout)

    def _foreign_key(self, key: ForeignKey) -> Any:
        return bigquery.table.ForeignKey(
            name=key.column,
            referenced_table=bigquery.TableReference.from_string(f"{self._dataset}.{key.table}"),
            column_references=[
                bigquery.table.ColumnReference(referencing_column=key.column, referenced_column=key.key)
            ],
        )

    def _find(self, name: str) -> Any | None:
        try:
            return self._client.get_table(f"{self._dataset}.{name}", timeout=self._timeout)
        except NotFound:
            return None

    def _delete(self, name: str) -> None:
        self._client.delete_table(f"{self._dataset}.{name}", not_found_ok=True, timeout=self._timeout)


def _layout(table: Any) -> tuple[str | None, tuple[str, ...]]:
    """Return what of a table a copy must find unchanged: the column of its partitions, and of its clusters."""
    partitioning = table.time_partitioning
    return (partitioning.field if partitioning else None, tuple(table.clustering_fields or ()))
