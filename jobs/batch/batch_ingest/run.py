"""One run of one entity, from the source to the table. Killed at any step and repeated, it ends in the same state."""

import json
from dataclasses import dataclass
from datetime import date

from batch_ingest import guards, identity, parts, quarantine, records
from batch_ingest.entities import Entity
from batch_ingest.guards import RefusedError
from batch_ingest.identity import Run
from batch_ingest.load import Loader
from batch_ingest.parts import Part
from batch_ingest.records import Answer
from batch_ingest.report import Report
from batch_ingest.settings import BatchSettings
from dataplatform.clock import Clock, rfc3339
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

    async def run(self, entity: Entity, day: date) -> Report:
        """Load all records of one entity under the name of a day; return what was done.

        The try is told in one log line and one row of `bq_raw.load_audit`, whatever its outcome.

        Raises:
            RefusedError: a guard tripped; the table is as it was.
            PlatformError: what stood in the way, in one sentence.
            google.api_core.exceptions.GoogleAPICallError: a resource or a permission is missing.
        """
        report = Report(entity.name, day, self.clock.now(), identity.unread_run_id(day))
        try:
            await self._load(entity, report)
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

    async def _load(self, entity: Entity, report: Report) -> None:
        received = await self.source.get_records(entity.path)
        answer = records.read(entity, received)
        del received  # the only place where a password still is
        self._count(entity, answer, report)
        report.run_id = identity.run_id(report.day, self.source_name, answer)
        if not answer.count:
            guards.check(entity, answer, self.settings)
        run = await identity.claim(self.zone, entity, report.day, report.run_id, self.source_name, self.clock)
        # Every record that was received is kept, also when a guard keeps it out of the table.
        stored = await self._store_parts(run, answer, report)
        sets = await self._store_quarantine(run, answer, report)
        guards.check(entity, answer, self.settings)
        for each in sets:
            report.job_ids += await self.loader.quarantine(run, self.zone.uri(each.part.name), each.rows, each.key)
        uris = [self.zone.uri(part.name) for part in stored]
        report.job_ids += await self.loader.replace(run, uris, len(answer.valid))
        report.loaded_count = len(answer.valid)
        await self._store_manifest(run, answer, stored)

    def _count(self, entity: Entity, answer: Answer, report: Report) -> None:
        report.source_count = answer.count
        report.valid_count = len(answer.valid)
        report.quarantined_count = 0
        self.metrics.records.labels(entity.name, "valid").inc(len(answer.valid))
        self.metrics.records.labels(entity.name, "invalid").inc(len(answer.invalid))

    async def _store_parts(self, run: Run, answer: Answer, report: Report) -> list[Part]:
        stored = []
        for part in parts.build(run, answer.valid, self.zone, max_bytes=self.settings.part_max_bytes):
            await self._store(part, report)
            stored.append(part.described)
        return stored

    async def _store_quarantine(self, run: Run, answer: Answer, report: Report) -> list[quarantine.Set]:
        sets = list(quarantine.build(run, answer.invalid, self.zone))
        for each in sets:
            await self._store(each.part, report)
        report.quarantined_count = len(answer.invalid)
        return sets

    async def _store(self, part: Part, report: Report) -> None:
        created = await parts.store(self.zone, part)
        report.objects.append(self.zone.uri(part.name))
        report.bytes += len(part.data)
        if created:
            self.metrics.bytes_archived.labels(report.entity).inc(len(part.data))

    async def _store_manifest(self, run: Run, answer: Answer, stored: list[Part]) -> None:
        """Say that the run is complete and was loaded; what reads the raw zone passes over runs without one."""
        manifest = {
            "entity": run.entity.name,
            "run_id": run.run_id,
            "logical_date": run.day.isoformat(),
            "source": run.source,
            "received_at": rfc3339(run.received_at),
            "valid_count": len(answer.valid),
            "quarantined_count": len(answer.invalid),
            "parts": [{"name": part.name, "count": part.count, "digest": part.digest} for part in stored],
        }
        await self.zone.create(run.manifest, json.dumps(manifest).encode(), content_type="application/json")

    async def _audit_failure(self, report: Report) -> None:
        """Write the audit row of a failed try; failing at it must not hide why the try failed."""
        try:
            await self.loader.audit(report.row(), report.key)
        except Exception as error:  # noqa: BLE001 - logged; the caller raises the error that came first
            logger().error("the audit row could not be written", entity=report.entity, reason=describe(error))
