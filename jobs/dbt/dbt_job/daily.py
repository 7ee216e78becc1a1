"""`python -m dbt_job daily`: what the CronJob does each day, one run at a time.

Look whether the day's loads are there, check freshness, build and publish, describe, keep the artifacts, tell.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from google.cloud import bigquery

from dataplatform import schemas
from dataplatform.clock import Clock, rfc3339
from dataplatform.errors import PlatformError, UnavailableError
from dataplatform.lease import Lease
from dataplatform.logs import logger
from dataplatform.metrics import DbtMetrics
from dataplatform.rawzone import RawZone
from dataplatform.settings import PlatformSettings
from dataplatform.warehouse import Warehouse
from dbt_job.runner import DbtOutcome
from dbt_job.settings import DbtSettings
from dbt_job.summary import Verdict

LEASE = "_state/dbt/lease.json"
ARTIFACTS = ("manifest.json", "catalog.json", "run_results.json", "sources.json", "index.html")
_LOADED = ("products", "users")
#: How often a run that waits looks for the loads: a query of ten MB each time.
_LOADS_LOOK_SECONDS = 30.0
#: How often the lease's keeper looks whether the run is over.
_LOOK_SECONDS = 0.2

type RunDbt = Callable[[Sequence[str]], DbtOutcome]


class Daily:
    """One run. `run_dbt` runs a dbt command in this thread, which must be the main one: dbt's watch interrupts it."""

    def __init__(
        self,
        *,
        platform: PlatformSettings,
        own: DbtSettings,
        warehouse: Warehouse,
        zone: RawZone,
        clock: Clock,
        metrics: DbtMetrics,
        run_dbt: RunDbt,
    ) -> None:
        self._platform = platform
        self._own = own
        self._warehouse = warehouse
        self._zone = zone
        self._clock = clock
        self._metrics = metrics
        self._run_dbt = run_dbt
        self._started_at = clock.now()
        self.run_id = own.run_id or f"dbt-{self._started_at:%Y%m%dT%H%M%SZ}".lower()

    def run(self) -> int:
        """Return the exit code: that of the step that counts most, 0 when all went well.

        Stale sources don't keep the marts from being built, as they are right for what there is; the run then ends
        with 65.

        Raises:
            BusyError: another run is at it and nothing was done, or another took the lease of this one.
            UnavailableError: loads of the day are missing and were required, or the bucket is away.
        """
        lease = Lease(self._zone, LEASE, self.run_id, self._clock, seconds=self._own.lease_seconds)
        with _held(lease):
            asyncio.run(self._wait_for_loads(self._started_at.date()))
            fresh = self._step(["source", "freshness"])
            if fresh.summary.verdict is Verdict.INTERRUPTED:
                return fresh.exit_code
            build = self._step(["build"])
            if build.summary.verdict is Verdict.WAREHOUSE_AWAY:
                # What failed in passing, and what was skipped for it, once more.
                build = self._step(["retry"])
            if build.summary.verdict is Verdict.OK:
                self._metrics.last_success.set(self._clock.now().timestamp())
                docs = self._step(["docs", "generate"])
                outcomes = [build, fresh, docs]
            else:
                outcomes = [build, fresh]
            objects = asyncio.run(self._keep(build.target_path))
            asyncio.run(self._audit(outcomes, objects))
        seconds = (self._clock.now() - self._started_at).total_seconds()
        self._metrics.run_seconds.set(seconds)
        code = next((outcome.exit_code for outcome in outcomes if outcome.exit_code), 0)
        logger().info("dbt run done", run_id=self.run_id, seconds=round(seconds, 3), exit_code=code)
        return code

    def _step(self, command: Sequence[str]) -> DbtOutcome:
        outcome = self._run_dbt(command)
        summary = outcome.summary
        self._metrics.step_seconds.labels(what=summary.command).set(summary.seconds)
        for status, count in summary.counts.items():
            self._metrics.nodes.labels(kind=summary.command, status=status).set(count)
        for node in summary.failed:
            logger().error("dbt node failed", node=node.name, kind=node.resource_type, reason=node.message[:500])
        for node in summary.warned:
            logger().warning("dbt node warns", node=node.name, kind=node.resource_type, reason=node.message[:500])
        tell = logger().info if summary.verdict is Verdict.OK else logger().error
        tell("dbt step done", run_id=self.run_id, step=summary.command, verdict=summary.verdict.words,
             seconds=round(summary.seconds, 3), counts=dict(summary.counts), reason=summary.error or "")  # fmt: skip
        return outcome

    async def _wait_for_loads(self, day: date) -> None:
        until = self._clock.monotonic() + self._own.wait_seconds
        while missing := await self._missing_loads(day):
            sentence = f"{' and '.join(missing)} of {day} are not loaded yet"
            left = until - self._clock.monotonic()
            if left > 0:
                logger().info("waiting for loads", run_id=self.run_id, reason=sentence, seconds_left=round(left))
                await self._clock.sleep(min(left, _LOADS_LOOK_SECONDS))
                continue
            if self._own.require_loads:
                raise UnavailableError(f"{sentence}: run the batch first, or set EYDP_DBT_REQUIRE_LOADS=false")
            logger().warning("loads are missing", run_id=self.run_id, reason=sentence)
            return

    async def _missing_loads(self, day: date) -> list[str]:
        rows = await self._warehouse.query(
            f"select distinct entity from `{self._platform.raw_table('load_audit')}` "  # noqa: S608 - a validated name
            "where outcome = 'loaded' and logical_date = @day",
            [bigquery.ScalarQueryParameter("day", "DATE", day)],
        )
        return sorted(set(_LOADED) - {row["entity"] for row in rows})

    async def _keep(self, folder: Path) -> list[str]:
        """Write the artifacts to the bucket under the run's name and return their addresses."""
        kept = []
        for name in ARTIFACTS:
            path = folder / name
            # What an earlier run left here is not this one's.
            if path.is_file() and path.stat().st_mtime >= self._started_at.timestamp():
                place = f"_dbt/dt={self._started_at:%Y-%m-%d}/run={self.run_id}/{name}"
                kind = "text/html" if name.endswith(".html") else "application/json"
                await self._zone.create(place, path.read_bytes(), content_type=kind)
                kept.append(self._zone.uri(place))
        return kept

    async def _audit(self, outcomes: Sequence[DbtOutcome], objects: Sequence[str]) -> None:
        build = outcomes[0].summary
        failed = next((outcome.summary for outcome in outcomes if outcome.exit_code), None)
        outcome = {Verdict.OK: "loaded", Verdict.DATA_WRONG: "refused"}.get(build.verdict, "failed")
        row: dict[str, Any] = {
            "run_id": self.run_id,
            "entity": "dbt",
            "logical_date": f"{self._started_at:%Y-%m-%d}",
            "started_at": rfc3339(self._started_at),
            "finished_at": rfc3339(self._clock.now()),
            "source_count": sum(build.counts.values()),
            "valid_count": sum(count for status, count in build.counts.items() if status in {"success", "pass"}),
            "quarantined_count": len(build.failed),
            "objects": list(objects),
            "outcome": outcome,
            "error": failed.sentence() if failed else None,
        }
        await self._warehouse.load_rows(
            [row], self._platform.raw_table("load_audit"), schemas.LOAD_AUDIT.columns, job_id=f"audit_{self.run_id}"
        )


@contextmanager
def _held(lease: Lease) -> Iterator[None]:
    """Hold the lease while the block runs; interrupt the main thread when another run took it."""
    taken, done = threading.Event(), threading.Event()
    errors: list[PlatformError] = []

    async def work() -> None:
        taken.set()
        while not done.is_set():  # noqa: ASYNC110 - the event is another thread's
            await asyncio.sleep(_LOOK_SECONDS)

    def keep() -> None:
        try:
            asyncio.run(lease.hold(work))
        except PlatformError as error:
            errors.append(error)
            if taken.is_set() and not done.is_set():
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        finally:
            taken.set()

    thread = threading.Thread(target=keep, name="lease")
    thread.start()
    taken.wait()
    try:
        if errors:
            raise errors[0]
        yield
    except KeyboardInterrupt:
        # From the keeper, between two commands of dbt; without its error it is the operator's own.
        if not errors:
            raise
    finally:
        done.set()
        thread.join()
    if errors:
        raise errors[0]
