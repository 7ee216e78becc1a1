"""One rebuild: every raw table anew beside the old one, compared, and put in its place when asked to."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from batch_ingest.entities import ENTITIES
from dataplatform import schemas
from dataplatform.clock import rfc3339
from dataplatform.errors import BusyError
from dataplatform.schemas import Table
from eydp.provision.calls import Calls
from eydp.provision.warehouse import provision_warehouse
from eydp.rebuild import batches
from eydp.rebuild.compare import COPIED, Comparison, compare
from eydp.replay import targets
from eydp.replay.feeds import EventsFeed, Feed, Progress, QuarantineFeed
from eydp.replay.rows import EventRows
from eydp.replay.spans import Spans
from eydp.replay.staging import Staging
from eydp.replay.start import refused
from eydp.replay.targets import EVENTS, QUARANTINED, Target
from eydp.replay.wiring import Upkeep

#: BigQuery drops what a run that died has left.
_KEEP_DAYS = 7


@dataclass(slots=True)
class Report:
    """What a run made, found and did."""

    run_id: str
    dataset: str
    """Where the rebuilt tables are."""
    comparisons: list[Comparison] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    swapped: list[str] = field(default_factory=list)
    kept: bool = False
    """Whether the rebuilt dataset is still there."""

    @property
    def harmless(self) -> bool:
        """Return whether no table would lose or change a row."""
        return all(comparison.harmless for comparison in self.comparisons)


class Rebuild:
    """Makes all raw tables anew. Hold the lease while it runs."""

    def __init__(self, tools: Upkeep, progress: Progress) -> None:
        self._tools = tools
        self._jobs = tools.jobs
        self._progress = progress
        self._staging = Staging(tools.jobs, progress, part_max_bytes=tools.settings.part_max_bytes)
        platform = tools.platform
        name = f"{platform.dataset_raw}_rebuild_{tools.run_id.replace('-', '_')}"
        self.dataset = f"{platform.project}.{name}"
        self._beside = platform.model_copy(update={"dataset_raw": name})
        self._key = f"rebuild_{platform.dataset_raw}_{tools.run_id}"

    async def run(self, report: Report, *, apply: bool, keep: bool, accept: bool, despite_young: bool) -> None:
        """Rebuild and compare; with `apply` swap each table in one step.

        `accept` swaps also when rows are lost or changed, `despite_young` also when rows were just streamed. A swap is
        told in one row of the new `load_audit`.

        Raises:
            BusyError: rows are so young that a swap might lose others that are not seen yet.
            InvalidDataError: an object can't be read, or (with `apply`) rows would be lost or changed.
        """
        started = self._tools.clock.now()
        if apply and not despite_young:
            await self._refuse_young()
        await self._jobs.create_dataset(self.dataset, self._tools.platform.location, keep_days=_KEEP_DAYS)
        report.kept = True
        await self._make(report)
        report.comparisons = await asyncio.gather(*(self._compare(table) for table in schemas.RAW_TABLES))
        if apply and (accept or report.harmless):
            await self._swap(report)
            await self._audit(started)
        if not keep and (report.harmless or report.swapped):
            await self._jobs.drop_dataset(self.dataset)
            report.kept = False

    async def _compare(self, table: Table) -> Comparison:
        return await compare(self._jobs.warehouse, table, await self._old(table), self._new(table))

    async def _refuse_young(self) -> None:
        from google.cloud.bigquery import ScalarQueryParameter

        seconds = self._tools.settings.row_margin_seconds
        since = self._tools.clock.now() - timedelta(seconds=seconds)
        for target in (EVENTS, QUARANTINED):
            name = self._tools.platform.raw_table(target.table.name)
            if await self._jobs.described(name) is None:
                continue
            [found] = await self._jobs.warehouse.query(
                f"SELECT COUNT(*) AS n, MAX({target.taken}) AS last FROM `{name}` WHERE {target.taken} > @since",  # noqa: S608 - names come from validated settings
                [ScalarQueryParameter("since", "TIMESTAMP", since)],
            )
            if found["n"]:
                raise BusyError(
                    f"{found['n']} rows of {name} are younger than {seconds} s, the last of {found['last']:%H:%M:%S} "
                    "UTC: stop the consumers and wait, or swap all the same with --despite-young-rows and replay after"
                )

    # -- making

    async def _make(self, report: Report) -> None:
        old_events = await self._old(schemas.CART_EVENTS)
        described = await self._jobs.described(old_events) if old_events else None
        fields = described["schema"]["fields"] if described else []
        first = (schemas.PRODUCTS, schemas.USERS, schemas.QUARANTINE, *COPIED, *schemas.WORK_TABLES)
        await asyncio.gather(*(self._jobs.create_table(self._new(table), table) for table in first))
        tools, now = self._tools, self._tools.clock.now()
        for entity in ENTITIES.values():
            await batches.merge(self._jobs.warehouse, tools.zone, self._beside, entity, report.notes.append)
        shop = tools.context.source.name
        quarantine = QuarantineFeed(tools.archive, tools.zone, tools.bucket, shop=shop, young=now, days=None)
        await self._make_from(QUARANTINED, quarantine, now)
        # Of the new quarantine: the old one may be gone.
        rows = EventRows(fields, await refused(tools, self._new(schemas.QUARANTINE), None))
        await self._jobs.create_table(
            self._new(schemas.CART_EVENTS), replace(schemas.CART_EVENTS, columns=tuple(rows.columns))
        )
        events = EventsFeed(tools.archive, tools.zone, rows, now=now, young=now, days=None)
        await self._make_from(EVENTS, events, now)
        if events.counts.invalid:
            report.notes.append(f"{events.counts.invalid} lines break the contract of this version and have no row")
        await asyncio.gather(*(self._copy(table, report) for table in COPIED))

    async def _make_from(self, target: Target, feed: Feed, now: datetime) -> None:
        key = f"{self._key}_{target.table.name}"
        name = f"{self.dataset}._staging_{target.table.name}"
        expires = now + timedelta(hours=self._tools.settings.staging_hours)
        async with self._staging.filled(name, target.table, feed, key, expires) as staged:
            spans = Spans.of(staged.days, around=target.around)
            if staged.rows:
                sql = targets.insert(target, self._new(target.table), name, feed.columns, spans)
                await self._jobs.statement(sql, spans.parameters(), job_id=f"{key}_insert")

    async def _copy(self, table: Table, report: Report) -> None:
        old = await self._old(table)
        if old is not None:
            names = ", ".join(f"`{column.name}`" for column in table.columns)
            await self._jobs.statement(
                f"INSERT INTO `{self._new(table)}` ({names}) SELECT {names} FROM `{old}`",  # noqa: S608 - names come from validated settings
                [],
                job_id=f"{self._key}_{table.name}",
            )
            report.notes.append(f"{table.name} was copied: the raw zone does not hold it")
        elif table is schemas.LOAD_AUDIT:
            await self._audit_from_manifests(report)
        else:
            report.notes.append(f"{table.name} is empty: the raw zone does not hold it, and there is no old one")

    async def _audit_from_manifests(self, report: Report) -> None:
        rows = await batches.audit_rows(self._tools.zone)
        if rows:
            await self._jobs.warehouse.load_rows(
                rows,
                self._new(schemas.LOAD_AUDIT),
                schemas.LOAD_AUDIT.columns,
                job_id=f"{self._key}_{schemas.LOAD_AUDIT.name}",
            )
        report.notes.append(
            f"{schemas.LOAD_AUDIT.name} has a row for each of the {len(rows)} batch runs of which there is a manifest: "
            "job ids and durations, refused and failed tries, replays and dbt are lost"
        )

    # -- swapping

    async def _swap(self, report: Report) -> None:
        tools = self._tools
        calls = Calls(tools.retrier, timeout_seconds=tools.platform.request_timeout_seconds)
        async for _ in provision_warehouse(tools.bigquery, tools.platform, calls, dry_run=False):
            pass  # the dataset and tables that were dropped
        # The events last: their new rows count as young, and a run that died here must not be kept out by them.
        others = [table for table in schemas.RAW_TABLES if table is not schemas.CART_EVENTS]
        await asyncio.gather(*(self._swap_one(table) for table in others))
        await self._swap_one(schemas.CART_EVENTS)
        report.swapped = [table.name for table in schemas.RAW_TABLES]

    async def _audit(self, started: datetime) -> None:
        tools, table = self._tools, schemas.LOAD_AUDIT
        row = {
            "run_id": tools.run_id,
            "entity": "rebuild",
            "logical_date": f"{started:%Y-%m-%d}",
            "started_at": rfc3339(started),
            "finished_at": rfc3339(tools.clock.now()),
            "objects": [],
            "job_ids": [f"{self._key}_{each.name}_swap" for each in schemas.RAW_TABLES],
            "outcome": "loaded",
        }
        name = tools.platform.raw_table(table.name)
        await self._jobs.warehouse.load_rows([row], name, table.columns, job_id=f"{self._key}_audit")

    async def _swap_one(self, table: Table) -> None:
        live = self._tools.platform.raw_table(table.name)
        await self._jobs.replace(live, self._new(table), job_id=f"{self._key}_{table.name}_swap")
        await self._jobs.keep(live)

    async def _old(self, table: Table) -> str | None:
        name = self._tools.platform.raw_table(table.name)
        return name if await self._jobs.described(name) is not None else None

    def _new(self, table: Table) -> str:
        return f"{self.dataset}.{table.name}"
