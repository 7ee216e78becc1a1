"""Datasets and tables."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from google.api_core.exceptions import Conflict, NotFound

from dataplatform.schemas import RAW_TABLES, WORK_TABLES, Table
from dataplatform.settings import PlatformSettings
from eydp.provision.calls import Calls
from eydp.provision.plan import LABELS, Step, missing_labels, plan_table, refuse_other_location, table_resource

#: Names of a table's parts: in the REST API, and as properties of the client's table.
_PROPERTIES = {
    "schema": "schema",
    "description": "description",
    "clustering": "clustering_fields",
    "labels": "labels",
}


async def provision_warehouse(
    client: Any, platform: PlatformSettings, calls: Calls, *, dry_run: bool
) -> AsyncIterator[Step]:
    """Create what is missing, extend and describe what is there; yield a step for each resource."""
    for dataset in (platform.dataset_raw, platform.dataset_analytics):
        yield await _dataset(client, platform, dataset, calls, dry_run=dry_run)
    for table in (*RAW_TABLES, *WORK_TABLES):
        for step in await _table(client, platform.raw_table(table.name), table, calls, dry_run=dry_run):
            yield step


async def _dataset(client: Any, platform: PlatformSettings, dataset: str, calls: Calls, *, dry_run: bool) -> Step:
    from google.cloud import bigquery

    name = f"{platform.project}.{dataset}"
    resource = f"dataset {name}"
    try:
        found = await calls.blocking(f"reading {resource}", client.get_dataset, name)
    except NotFound:
        if not dry_run:
            wanted = bigquery.Dataset(name)
            wanted.location = platform.location
            wanted.labels = LABELS
            await calls.blocking(f"creating {resource}", client.create_dataset, wanted, exists_ok=True)
        return Step("create", resource, platform.location)
    refuse_other_location(resource, found.location, platform.location)
    labels = missing_labels(found.labels, LABELS)
    if not labels:
        return Step("unchanged", resource)
    if not dry_run:
        found.labels = labels
        await calls.blocking(f"updating {resource}", client.update_dataset, found, ["labels"])
    return Step("update", resource, "labels")


async def _table(client: Any, name: str, table: Table, calls: Calls, *, dry_run: bool) -> tuple[Step, ...]:
    from google.cloud import bigquery

    resource = f"table {name}"
    try:
        found = await calls.blocking(f"reading {resource}", client.get_table, name)
    except NotFound:
        if not dry_run:
            wanted = bigquery.Table.from_api_repr(table_resource(table, name))
            with suppress(Conflict):  # somebody else provisions at the same time; the next run compares
                await calls.blocking(f"creating {resource}", client.create_table, wanted)
        return (Step("create", resource, f"{len(table.columns)} columns"),)
    there = found.to_api_repr()
    plan = plan_table(table, name, there)
    if plan.changes and not dry_run:
        changed = bigquery.Table.from_api_repr({**there, **plan.changes})
        properties = [_PROPERTIES[part] for part in plan.changes]
        await calls.blocking(f"updating {resource}", client.update_table, changed, properties)
    return plan.steps
