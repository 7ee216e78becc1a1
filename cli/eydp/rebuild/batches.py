"""Products and users from the runs of the batch loader, by its own merge; and what the manifests know of the audit."""

from collections.abc import Callable
from typing import Any

from batch_ingest import receipt
from batch_ingest.entities import ENTITIES, Entity
from batch_ingest.load import Loader
from batch_ingest.receipt import Receipt
from batch_ingest.tablestate import TableState
from dataplatform.clock import rfc3339
from dataplatform.errors import InvalidDataError
from dataplatform.rawzone import RawZone
from dataplatform.settings import PlatformSettings
from dataplatform.warehouse import Warehouse


async def loaded_runs(zone: RawZone, entity: Entity) -> list[Receipt]:
    """Return all runs that were loaded, in the order of their days and, within a day, of their arrival.

    Raises:
        InvalidDataError: a manifest can't be read.
    """
    names = await zone.names(f"_manifests/{entity.name}/")
    found = [made for name in names if (made := await receipt.find(zone, entity, name)) is not None]
    return sorted(found, key=lambda each: (each.run.day, each.run.received_at, each.run.run_id))


async def last(zone: RawZone, entity: Entity, runs: list[Receipt]) -> Receipt | None:
    """Return the run that the table held last: a day that was loaded again may have brought back an earlier one."""
    state = TableState(zone, entity)
    await state.read()
    held = state.loaded.run_id if state.loaded else None
    return next((each for each in runs if each.run.run_id == held), runs[-1] if runs else None)


async def merge(
    warehouse: Warehouse,
    zone: RawZone,
    platform: PlatformSettings,
    entity: Entity,
    told: Callable[[str], None],
) -> None:
    """Bring all runs of an entity, one after the other, into the empty table of `platform`'s raw dataset.

    Raises:
        InvalidDataError: a manifest can't be read, or the table has not the rows that the last run had.
    """
    runs = await loaded_runs(zone, entity)
    final = await last(zone, entity, runs)
    if final is None:
        told(f"{entity.table.name} is empty: the raw zone has no run of {entity.name} that was loaded")
        return
    loader = Loader(warehouse, platform)
    again = [] if final is runs[-1] else [final]
    for number, each in enumerate([*runs, *again]):
        uris = [zone.uri(part.name) for part in each.parts]
        count = sum(part.count for part in each.parts)
        await loader.merge(each.run, uris, count, key=f"{each.run.run_id}_{number}")
    await loader.clear(entity)
    if (rows := await loader.rows(entity)) != final.findings.rows:
        raise InvalidDataError(
            f"run {final.run.run_id} gave {entity.table.name} {rows} rows of {final.findings.rows}: look at its parts"
        )
    told(f"{entity.table.name} is made of {len(runs)} runs, the last is {final.run.run_id}")


async def audit_rows(zone: RawZone) -> list[dict[str, Any]]:
    """Return what the manifests know of the rows of `bq_raw.load_audit`.

    Raises:
        InvalidDataError: a manifest can't be read.
    """
    rows = []
    for entity in ENTITIES.values():
        rows += [_audit_row(zone, each) for each in await loaded_runs(zone, entity)]
    return rows


def _audit_row(zone: RawZone, made: Receipt) -> dict[str, Any]:
    findings, at = made.findings, rfc3339(made.run.received_at)
    return {
        "run_id": made.run.run_id,
        "entity": made.run.entity.name,
        "logical_date": made.run.day.isoformat(),
        "started_at": at,
        "finished_at": at,
        "source_count": findings.count,
        "valid_count": findings.valid,
        "quarantined_count": findings.invalid,
        "loaded_count": findings.rows,
        "bytes": made.bytes,
        "objects": [zone.uri(part.name) for part in made.parts] + [zone.uri(name) for name, _ in made.quarantined],
        "job_ids": [],
        "outcome": "loaded",
        "error": None,
    }
