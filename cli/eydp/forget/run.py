"""One user forgotten, from the list of the forgotten to the last object. Killed anywhere and repeated, it ends done.

The order is what makes it safe: the loader is told first, so that nothing new comes; new objects are there before
anything names them; rows go before the objects that they came from, and what tells a quarantined record goes last.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from batch_ingest import forgotten, receipt
from batch_ingest.entities import ENTITIES
from batch_ingest.forgotten import Forgotten
from batch_ingest.load import Loader
from batch_ingest.tablestate import TableState
from dataplatform import schemas
from dataplatform.clock import rfc3339
from dbt_job.daily import LEASE as DBT_LEASE
from eydp.forget.objects import Objects
from eydp.forget.person import Person
from eydp.forget.receipts import Moved
from eydp.forget.tables import Entry, Tables, new_addresses
from eydp.replay.feeds import Progress
from eydp.replay.start import LEASE, await_the_dead
from eydp.replay.wiring import Upkeep

ENTITY = "forget"
_USERS = ENTITIES["users"]


@dataclass(slots=True)
class Report:
    """What a run found and did; nothing in it tells of the person."""

    run_id: str
    objects: int = 0
    """Objects read."""
    lines: int = 0
    rewritten: int = 0
    """Objects written anew without the user, or removed as they held nobody else."""
    removed_lines: int = 0
    runs_changed: int = 0
    """Receipts, manifests and indexes of batch runs that say something else now."""
    deleted_objects: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    """Rows deleted or made anonymous, by table."""
    young: int = 0
    """Rows of quarantine that are too young to be deleted, with their objects."""
    come_back_after: datetime | None = None
    still_sent: bool = False
    """Whether the last load still had the user: the shop is to be told too."""

    def summary(self) -> dict[str, Any]:
        """Return what is told to logs and scripts."""
        at = self.come_back_after
        return {**asdict(self), "come_back_after": rfc3339(at) if at else None}


async def forget(tools: Upkeep, source: str, user: int, progress: Progress) -> Report:
    """Remove a user from everywhere, under the leases of all that might write the user again.

    Raises:
        BusyError: a batch load, a replay, a rebuild or dbt is at work; nothing was done.
        InvalidDataError: an object can't be read.
        UnavailableError: a service did not answer within the retry deadline.
    """
    run = _Forget(tools, source, user, progress)
    loads = tools.lease_at(f"_state/batch/{_USERS.name}/lease.json")
    raw, dbt = tools.lease(LEASE), tools.lease_at(DBT_LEASE)

    async def work() -> Report:
        await await_the_dead(tools, raw.previous_run_id)
        return await run.run()

    return await loads.hold(lambda: raw.hold(lambda: dbt.hold(work)))


class _Forget:
    def __init__(self, tools: Upkeep, source: str, user: int, progress: Progress) -> None:
        self._tools = tools
        self._zone = tools.zone
        self._person = Person(source, user)
        self._report = Report(tools.run_id)
        self._objects = Objects(tools.zone, tools.bucket, self._person, progress)
        self._tables = Tables(tools.bigquery, tools.jobs, tools.retrier, tools.platform, tools.run_id)
        self._loader = Loader(tools.jobs.warehouse, tools.platform)
        self._started = tools.clock.now()
        self._before = self._started - timedelta(seconds=tools.settings.row_margin_seconds)

    async def run(self) -> Report:
        report = self._report
        await self._remember(frozenset())
        parts = await self._objects.parts()
        entries = await self._quarantine()
        report.objects, report.lines = self._objects.counts.objects, self._objects.counts.lines
        moved = {**parts, **entries}
        report.rewritten = len(moved)
        report.removed_lines = sum(move.removed for move in moved.values())
        report.runs_changed = await self._objects.tell_runs(moved)
        await self._raw_tables(parts, entries)
        await self._table_state()
        for name, count in (await self._tables.make_anonymous(self._person)).items():
            self._count(name, count)
        report.deleted_objects = await self._objects.delete_old()
        await self._audit()
        return report

    async def _remember(self, ids: frozenset[str]) -> None:
        person = Forgotten(self._person.source, self._person.id, ids)
        self._person.quarantine_ids = (await forgotten.remember(self._zone, person)).quarantine_ids

    async def _quarantine(self) -> dict[str, Moved]:
        """Write the objects of quarantine anew whose rows are old enough; count the rows that are too young."""
        found = await self._objects.quarantined()
        rows = [
            entry
            for dataset in await self._tables.raw_datasets()
            for entry in await self._tables.entries(dataset, self._person)
        ]
        # Before anything goes: a record that is too young now, or not yet deleted, is known by its id the next time.
        await self._remember(frozenset().union(*found.values(), (row.quarantine_id for row in rows)))
        young = [row for row in rows if row.quarantined_at >= self._before]
        self._come_back(young)
        kept = {row.raw_uri for row in young}
        return {
            name: await self._objects.without(name, ids)
            for name, ids in found.items()
            if self._zone.uri(name) not in kept
        }

    def _come_back(self, young: list[Entry]) -> None:
        self._report.young = len(young)
        if young:
            margin = timedelta(seconds=self._tools.settings.row_margin_seconds)
            self._report.come_back_after = max(row.quarantined_at for row in young) + margin

    async def _raw_tables(self, parts: Mapping[str, Moved], entries: Mapping[str, Moved]) -> None:
        loaded = await self._tools.jobs.warehouse.query(
            f"SELECT COUNT(*) AS n FROM `{self._tools.platform.raw_table(_USERS.table.name)}` "  # noqa: S608 - names come from validated settings
            "WHERE source = @source AND id = @id AND _deleted IS NOT TRUE",
            _parameters(self._person),
        )
        self._report.still_sent = bool(loaded[0]["n"])
        for dataset in await self._tables.raw_datasets():
            self._count(_USERS.table.name, await self._tables.forget_user(dataset, self._person))
            ids = self._person.quarantine_ids
            if ids:
                gone = await self._tables.forget_entries(dataset, ids, self._before)
                self._count(schemas.QUARANTINE.name, gone)
            for table, moved in ((_USERS.table, parts), (schemas.QUARANTINE, entries)):
                if uris := dict(new_addresses(moved, self._zone.uri)):
                    await self._tables.move(f"{dataset}.{table.name}", uris)
        await self._loader.clear(_USERS)
        await self._tables.drop_staging()

    async def _table_state(self) -> None:
        """Let the loader expect what the table has now, so that its next run does not take it for damaged."""
        state = TableState(self._zone, _USERS)
        await state.read()
        held = state.loaded
        if held is None or state.loading is not None:
            return
        name = f"_manifests/{_USERS.name}/dt={held.day:%Y-%m-%d}/{held.run_id}.json"
        made = await receipt.find(self._zone, _USERS, name)
        if made is not None and (held.rows, held.records) != (made.findings.rows, made.findings.count):
            found = made.findings
            await state.end(replace(held, rows=found.rows, records=found.count, fields=found.fields))

    def _count(self, table: str, rows: int) -> None:
        if rows:
            self._report.rows[table] = self._report.rows.get(table, 0) + rows

    async def _audit(self) -> None:
        report, tools = self._report, self._tools
        row = {
            "run_id": report.run_id,
            "entity": ENTITY,
            "logical_date": f"{self._started:%Y-%m-%d}",
            "started_at": rfc3339(self._started),
            "finished_at": rfc3339(tools.clock.now()),
            "source_count": report.lines,
            "loaded_count": await self._loader.rows(_USERS),
            "objects": [],
            "job_ids": self._tables.job_ids,
            "outcome": "loaded",
            "error": f"{report.young} rows of quarantine were too young" if report.young else None,
        }
        table = schemas.LOAD_AUDIT
        name = tools.platform.raw_table(table.name)
        job = f"forget_{tools.platform.dataset_raw}_{report.run_id}_audit"
        await tools.jobs.warehouse.load_rows([row], name, table.columns, job_id=job)


def _parameters(person: Person) -> list[Any]:
    from google.cloud.bigquery import ScalarQueryParameter

    return [
        ScalarQueryParameter("source", "STRING", person.source),
        ScalarQueryParameter("id", "INT64", person.id),
    ]
