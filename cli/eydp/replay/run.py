"""One replay: read the raw zone into a staging table, append what the table lacks, remove what it has twice."""

from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from dataplatform import schemas
from dataplatform.clock import Clock, rfc3339
from dataplatform.logs import logger
from dataplatform.retry import describe
from dataplatform.settings import PlatformSettings
from eydp.replay import targets
from eydp.replay.feeds import Counts, Feed
from eydp.replay.jobs import Jobs
from eydp.replay.settings import ReplaySettings
from eydp.replay.spans import Spans, days_between
from eydp.replay.staging import Staging
from eydp.replay.targets import Target


@dataclass(slots=True)
class Report:
    """What a run found and did."""

    run_id: str
    entity: str
    first: date
    last: date
    check: bool
    counts: Counts = field(default_factory=Counts)
    found: int = 0
    """Distinct events or entries of the raw zone."""
    missing: int = 0
    """Of those, how many had no row."""
    appended: int = 0
    doubled: int = 0
    """Rows of the partitions looked at that were there once more than needed."""
    removed: int = 0
    job_ids: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Return how many doubled rows are still there: too young, or alike in everything that tells rows apart."""
        return self.doubled - self.removed

    def summary(self) -> dict[str, Any]:
        """Return what is told to logs and scripts."""
        return {
            "run_id": self.run_id,
            "entity": self.entity,
            "from": self.first.isoformat(),
            "to": self.last.isoformat(),
            "check": self.check,
            **asdict(self.counts),
            "found": self.found,
            "missing": self.missing,
            "appended": self.appended,
            "doubled": self.doubled,
            "removed": self.removed,
            "left": self.left,
        }


class Replay:
    """Mends one table. Killed anywhere and repeated, it ends in the same table; hold the lease while it runs."""

    def __init__(
        self,
        target: Target,
        jobs: Jobs,
        staging: Staging,
        platform: PlatformSettings,
        settings: ReplaySettings,
        clock: Clock,
    ) -> None:
        self._target = target
        self._jobs = jobs
        self._staging = staging
        self._platform = platform
        self._settings = settings
        self._clock = clock
        self._live = platform.raw_table(target.table.name)

    async def run(self, feed: Feed, report: Report) -> None:
        """Replay what the feed gives; with `report.check` change nothing but the staging table.

        A run that changes things writes one row of `bq_raw.load_audit`, whatever its outcome.

        Raises:
            PlatformError: what stood in the way, in one sentence.
            google.api_core.exceptions.GoogleAPICallError: a resource or a permission is missing.
        """
        started = self._clock.now()
        report.counts = feed.counts
        try:
            await self._mend(feed, report, started)
        except Exception as error:
            if not report.check:
                await self._audit_failure(report, started, describe(error))
            raise
        if not report.check:
            await self._audit(report, started, None)

    async def _mend(self, feed: Feed, report: Report, started: datetime) -> None:
        key = job_key(self._platform, self._target, report.run_id)
        name = self._platform.raw_table(f"_staging_replay_{self._target.table.name}_{_table_name(report.run_id)}")
        expires = started + timedelta(hours=self._settings.staging_hours)
        async with self._staging.filled(name, self._target.table, feed, key, expires) as staged:
            report.job_ids += staged.jobs
            days = staged.days | set(days_between(report.first, report.last))
            spans = Spans.of(days, around=self._target.around)
            sql = targets.compare(self._target, self._live, name, spans)
            [found] = await self._jobs.warehouse.query(sql, spans.parameters())
            report.found, report.missing, report.doubled = (
                int(found[what]) for what in ("found", "missing", "doubled")
            )
            if report.check:
                return
            if report.missing:
                sql = targets.insert(self._target, self._live, name, feed.columns, spans)
                report.job_ids.append(f"{key}_insert")
                report.appended = await self._jobs.statement(sql, spans.parameters(), job_id=report.job_ids[-1])
            if report.doubled:
                await self._remove(report, spans, f"{key}_remove")

    async def _remove(self, report: Report, spans: Spans, job_id: str) -> None:
        from google.cloud.bigquery import ScalarQueryParameter

        before = self._clock.now() - timedelta(seconds=self._settings.row_margin_seconds)
        parameters = [*spans.parameters(), ScalarQueryParameter("before", "TIMESTAMP", before)]
        report.job_ids.append(job_id)
        sql = targets.remove(self._target, self._live, spans)
        report.removed = await self._jobs.statement(sql, parameters, job_id=job_id)

    async def _audit(self, report: Report, started: datetime, error: str | None) -> None:
        row = {
            "run_id": report.run_id,
            "entity": report.entity,
            "logical_date": report.last.isoformat(),
            "started_at": rfc3339(started),
            "finished_at": rfc3339(self._clock.now()),
            "source_count": report.counts.lines,
            "valid_count": report.counts.lines - report.counts.invalid - report.counts.refused,
            "quarantined_count": report.counts.refused,
            "loaded_count": report.appended,
            "bytes": None,
            "objects": [],
            "job_ids": report.job_ids,
            "outcome": "failed" if error else "loaded",
            "error": error,
        }
        table = schemas.LOAD_AUDIT
        await self._jobs.warehouse.load_rows(
            [row],
            self._platform.raw_table(table.name),
            table.columns,
            job_id=f"{job_key(self._platform, self._target, report.run_id)}_audit",
        )

    async def _audit_failure(self, report: Report, started: datetime, error: str) -> None:
        """Write the audit row of a run that failed; failing at it must not hide why the run failed."""
        try:
            await self._audit(report, started, error)
        except Exception as second:  # noqa: BLE001 - logged; the caller raises the error that came first
            logger().error("the audit row could not be written", entity=report.entity, reason=describe(second))


def job_key(platform: PlatformSettings, target: Target, run_id: str) -> str:
    """Return what the ids of a run's jobs begin with."""
    return f"replay_{platform.dataset_raw}_{target.table.name}_{run_id}"


def _table_name(run_id: str) -> str:
    return run_id.replace("-", "_")
