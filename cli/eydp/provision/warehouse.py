"""Datasets and tables."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from google.api_core.exceptions import Conflict, NotFound

from dataplatform.schemas import RAW_TABLES, Table, api_fields
from dataplatform.settings import PlatformSettings
from eydp.provision.plan import Step, columns_to_add, partitioning_agrees

LABELS = {"managed-by": "ey-data-platform"}


def provision_warehouse(client: Any, platform: PlatformSettings, *, dry_run: bool) -> Iterator[Step]:
    """Create or extend what is missing; yield a step for each resource."""
    for dataset in (platform.dataset_raw, platform.dataset_analytics):
        yield _dataset(client, platform, dataset, dry_run=dry_run)
    for table in RAW_TABLES:
        yield from _table(client, platform, table, dry_run=dry_run)


def _dataset(client: Any, platform: PlatformSettings, name: str, *, dry_run: bool) -> Step:
    from google.cloud import bigquery

    reference = f"{platform.project}.{name}"
    try:
        client.get_dataset(reference, timeout=platform.request_timeout_seconds, retry=None)
    except NotFound:
        if not dry_run:
            dataset = bigquery.Dataset(reference)
            dataset.location = platform.location
            dataset.labels = LABELS
            client.create_dataset(dataset, exists_ok=True, timeout=platform.request_timeout_seconds, retry=None)
        return Step("create", f"dataset {reference}", platform.location)
    return Step("unchanged", f"dataset {reference}")


def _table(client: Any, platform: PlatformSettings, table: Table, *, dry_run: bool) -> Iterator[Step]:
    reference = platform.raw_table(table.name)
    timeout = platform.request_timeout_seconds
    try:
        found = client.get_table(reference, timeout=timeout, retry=None)
    except NotFound:
        if not dry_run:
            with suppress(Conflict):  # somebody else provisions at the same time; the next run compares
                client.create_table(_wanted(platform, table), timeout=timeout, retry=None)
        yield Step("create", f"table {reference}", f"{len(table.columns)} columns")
        return
    partition = found.time_partitioning.field if found.time_partitioning else None
    partitioning_agrees(table, reference, partition)
    missing = columns_to_add(table, reference, [field.to_api_repr() for field in found.schema])
    if not missing:
        yield Step("unchanged", f"table {reference}")
        return
    if not dry_run:
        from google.cloud import bigquery

        found.schema = [
            *found.schema,
            *(bigquery.SchemaField.from_api_repr(field) for field in api_fields(missing)),
        ]
        client.update_table(found, ["schema"], timeout=timeout, retry=None)
    for column in missing:
        yield Step("add column", f"table {reference}", f"{column.name} {column.type}")


def _wanted(platform: PlatformSettings, table: Table) -> Any:
    from google.cloud import bigquery

    wanted = bigquery.Table(
        platform.raw_table(table.name),
        schema=[bigquery.SchemaField.from_api_repr(field) for field in api_fields(table.columns)],
    )
    wanted.description = table.description
    wanted.labels = {**LABELS, **(table.labels or {})}
    if table.partition_by:
        wanted.time_partitioning = bigquery.TimePartitioning(
            type_=bigquery.TimePartitioningType.DAY, field=table.partition_by
        )
    if table.cluster_by:
        wanted.clustering_fields = list(table.cluster_by)
    return wanted
