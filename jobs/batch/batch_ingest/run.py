"""One run of one entity, from the source to the table. Killed at any step and repeated, it ends in the same state."""

import json
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import date
from typing import TextIO

from batch_ingest import forgotten, guards, identity, quarantine, receipt
from batch_ingest.entities import Entity
from batch_ingest.guards import Case, RefusedError
from batch_ingest.intake import Intake, Taken
from batch_ingest.load import Loader
from batch_ingest.parts import compressed, store
from batch_ingest.personal import Protect
from batch_ingest.progress import Progress
from batch_ingest.receipt import Receipt
from batch_ingest.records import Reader
from batch_ingest.report import Report
from batch_ingest.settings import BatchSettings
from batch_ingest.tablestate import Loaded, TableState
from dataplatform.clock import Clock
from dataplatform.errors import InvalidDataError
from dataplatform.lease import Lease
from dataplatform.logs import logger
from dataplatform.metrics import BatchMetrics
from dataplatform.rawzone import RawZone
from dataplatform.retry import describe
from dataplatform.source import SourceClient


@dataclass(frozen=True, slots=True)
class Batch:
    """What a run works with. `source_name` is the shop's, kept in every row."""

    source: SourceClient
    source_name: str
    zone: RawZone
    loader: Loader
    settings: BatchSettings
    clock: Clock
    metrics: BatchMetrics
    protect: Protect | None = None
    """Makes a user's record fit to be kept."""
    allowed: Collection[str] = field(default_factory=tuple)
    """Guards that only warn."""
    terminal: TextIO | None = None
    """Where a person looks while records come in."""

    async def run(self, entity: Entity, day: date) -> Report:
        """Load all records of one entity under the name of a day; return what was done.

        One run of an entity at a time: it waits for another one, which leaves it nothing to load. The try is told in
        one log line and one row of `bq_raw.load_audit`, whatever its outcome.

        Raises:
            RefusedError: a guard tripped; the table is as it was.
            PlatformError: what stood in the way, in one sentence.
            google.api_core.exceptions.GoogleAPICallError: a resource or a permission is missing.
        """
        return await self._told(entity, day, lambda report: self._from_source(entity, report))

    async def reload(self, entity: Entity, day: date) -> Report | None:
        """Load a day's records from the raw zone; return None when there are none. Raises what `run` raises."""
        found = await receipt.of_day(self.zone, entity, day)
        if found is None:
            return None
        return await self._told(entity, day, lambda report: self._load(found, report))

    async def _told(self, entity: Entity, day: date, work: Callable[[Report], Awaitable[None]]) -> Report:
        report = Report(entity.name, day, self.clock.now(), identity.unread_run_id(day))
        lease = Lease(
            self.zone,
            f"_state/batch/{entity.name}/lease.json",
            report.key,
            self.clock,
            seconds=self.settings.lease_seconds,
            wait_seconds=self.settings.lease_wait_seconds,
        )
        try:
            await lease.hold(lambda: work(report))
        except Exception as error:
            report.outcome = "refused" if isinstance(error, RefusedError) else "failed"
            report.error = describe(error)
            report.finished_at = self.clock.now()
            logger().error(f"{report.outcome}", **report.summary(), error=report.error)
            await self._audit_failure(report)
            raise
        report.outcome = "loaded"
        report.finished_at = self.clock.now()
        self.metrics.run_seconds.labels(entity.name).set(report.seconds)
        self.metrics.last_success.labels(entity.name).set(report.finished_at.timestamp())
        await self.loader.audit(report.row(), report.key)
        logger().info("loaded", **report.summary())
        return report

    async def _from_source(self, entity: Entity, report: Report) -> None:
        state = TableState(self.zone, entity)
        await state.read()
        await self._load(await self.receive(entity, report.day, state.loaded), report)

    async def receive(self, entity: Entity, day: date, held: Loaded | None = None) -> Receipt:
        """Bring all records of the source into the bucket, valid ones as parts; return the receipt.

        `held` is what the table holds, if records that did not change since are to have parts of their own.
        """
        base = held.before(day) if held and self.settings.mode == "incremental" else None
        earlier = await receipt.read_index(self.zone, identity.index_object(entity, *base)) if base else None
        people = await forgotten.read(self.zone) if entity.personal else []
        intake = Intake(
            entity,
            day,
            Reader(entity, self.source_name, self.protect if entity.personal else None),
            self.zone,
            self.settings.part_max_bytes,
            self.settings.uploads_at_once,
            lambda: Progress(
                entity.name, self.clock, every_seconds=self.settings.progress_seconds, terminal=self.terminal
            ),
            earlier,
            forgotten.ids_of(people, self.source_name),
        )
        taken = await self.source.stream(entity.path, intake.take)
        try:
            return await self._settle(entity, day, taken, base[1] if base and earlier else None)
        finally:
            taken.spool.close()

    async def _settle(self, entity: Entity, day: date, taken: Taken, baseline: str | None) -> Receipt:
        """Give the run its name, and write what is left to write before its receipt."""
        self.metrics.records.labels(entity.name, "valid").inc(taken.findings.valid)
        self.metrics.records.labels(entity.name, "invalid").inc(taken.findings.invalid)
        self.metrics.bytes_archived.labels(entity.name).inc(sum(part.bytes for part in taken.parts))
        name = identity.run_id(day, self.source_name, taken.index, taken.findings.invalid, taken.spool.digest)
        if not taken.findings.count:
            # Nothing to keep: the guards are shown a receipt that is not written.
            return Receipt(
                identity.Run(entity, day, name, self.source_name, self.clock.now()), taken.findings, [], [], None
            )
        run = await identity.claim(self.zone, entity, day, name, self.source_name, self.clock)
        if found := await receipt.find(self.zone, entity, run.receipt):
            return found
        await store(self.zone, run.index, compressed(taken.index.data), count=taken.index.count)
        quarantined = await quarantine.store(self.zone, run, taken.spool)
        return await receipt.settle(self.zone, Receipt(run, taken.findings, taken.parts, quarantined, baseline))

    async def _load(self, received: Receipt, report: Report) -> None:
        """Check the guards, and bring what was received into the tables."""
        run, findings = received.run, received.findings
        report.received(received, self.zone)
        state = TableState(self.zone, run.entity)
        await state.read()
        if new := guards.new_fields(run.entity, findings, state.loaded):
            logger().warning("the source has new fields; the payload keeps them", entity=run.entity.name, fields=new)
        intact = state.loading is not None or await self.holds(run.entity, state.loaded)
        guards.check(Case(received, state.loaded, self.settings, intact=intact), self.allowed)
        for name, _ in received.quarantined:
            report.job_ids += await self._quarantine(run, name)
        report.job_ids += await self._merge(received, state, report.mark, exact=intact and state.loading is None)
        report.loaded_count = findings.rows
        manifest = {**received.described(), "loaded_count": findings.rows}
        await self.zone.replace(run.manifest, json.dumps(manifest).encode(), generation=0)

    async def holds(self, entity: Entity, loaded: Loaded | None) -> bool:
        """Return whether the table has as many rows as its last load left there."""
        return loaded is not None and await self.loader.rows(entity) == loaded.rows

    async def _merge(self, received: Receipt, state: TableState, key: str, *, exact: bool) -> list[str]:
        """Make the table hold the run; return the jobs that did it, none when it held the run already.

        `exact` says that the table holds the run that its state names.
        """
        run, rows, held = received.run, received.findings.rows, state.loaded
        if exact and held and held.run_id == run.run_id:
            return []
        removed = await self._removed(received) if exact and held and held.run_id == received.baseline else None
        parts = [part for part in received.parts if part.changed or removed is None]
        await state.begin(run.run_id)
        jobs = []
        if parts or removed != []:
            jobs = await self.loader.merge(
                run,
                [self.zone.uri(part.name) for part in parts],
                sum(part.count for part in parts),
                key=key,
                removed=removed,
            )
            await self.loader.clear(run.entity)
        if (found := await self.loader.rows(run.entity)) != rows:
            raise InvalidDataError(
                f"{run.entity.table.name} has {found} rows after the load of {rows} {run.entity.name}: somebody else "
                "changes the table; the next run loads all records"
            )
        await state.end(
            Loaded(
                run.run_id,
                run.day,
                rows,
                received.findings.fields,
                received.findings.count,
                held.before(run.day) if held else None,
            )
        )
        return jobs

    async def _removed(self, received: Receipt) -> list[int] | None:
        """Return the ids that the run before had and this one has not; None when all records must be loaded."""
        run = received.run
        if self.settings.mode != "incremental" or received.baseline is None:
            return None
        day = date.fromisoformat(received.baseline[:8])
        old = await receipt.read_index(self.zone, identity.index_object(run.entity, day, received.baseline))
        new = await receipt.read_index(self.zone, run.index)
        if old is None or new is None:
            return None
        return old.removed_in(new, at_most=self.settings.max_removed_ids)

    async def _quarantine(self, run: identity.Run, name: str) -> list[str]:
        """Bring an object of quarantined records into `bq_raw.quarantine`."""
        uri = self.zone.uri(name)
        found = await self.zone.read(name)
        if found is None:
            raise InvalidDataError(f"{uri} of run {run.run_id} is not there any more")
        try:
            rows = quarantine.rows(run.entity.name, found.data, uri)
        except (OSError, EOFError, ValueError, KeyError) as error:
            raise InvalidDataError(f"{uri} is no object of quarantined records: {error}") from error
        return await self.loader.quarantine(run, uri, rows)

    async def _audit_failure(self, report: Report) -> None:
        """Write the audit row of a failed try; failing at it must not hide why the try failed."""
        try:
            await self.loader.audit(report.row(), report.key)
        except Exception as error:  # noqa: BLE001 - logged; the caller raises the error that came first
            logger().error("the audit row could not be written", entity=report.entity, reason=describe(error))
