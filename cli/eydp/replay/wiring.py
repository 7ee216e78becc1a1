"""What replay, rebuild and compaction work with, made from the settings and closed at the end."""

import asyncio
import sys
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from google.api_core import exceptions as google

from dataplatform import clients, settings
from dataplatform.clock import Clock, SystemClock
from dataplatform.errors import ConfigurationError
from dataplatform.lease import Lease
from dataplatform.logs import configure, logger
from dataplatform.rawzone import RawZone
from dataplatform.retry import Retrier, RetryPolicy, describe
from dataplatform.settings import PlatformSettings
from dataplatform.warehouse import Warehouse
from eydp.archive.bucket import Bucket
from eydp.archive.reader import Archive
from eydp.environment import Context
from eydp.replay.jobs import Jobs
from eydp.replay.settings import ReplaySettings


@dataclass(frozen=True, slots=True)
class Upkeep:
    """The clients of one run under the platform's habits."""

    context: Context
    settings: ReplaySettings
    clock: Clock
    retrier: Retrier
    storage: Any
    bigquery: Any
    zone: RawZone
    bucket: Bucket
    archive: Archive
    jobs: Jobs
    run_id: str

    @property
    def platform(self) -> PlatformSettings:
        """Return the names on the cloud."""
        return self.context.platform

    def lease(self, what: str) -> Lease:
        """Return the lease of this run in the folder of replays."""
        return self.lease_at(lease_name(what))

    def lease_at(self, name: str) -> Lease:
        """Return the lease of this run in an object; a renewal is tried no longer than the lease allows."""
        seconds = self.settings.lease_seconds
        retrier = Retrier(RetryPolicy(deadline_seconds=seconds / 2), self.clock)
        timeout = min(self.platform.request_timeout_seconds, seconds / 3)
        zone = RawZone(self.storage, self.platform.bucket_name, retrier, timeout_seconds=timeout)
        return Lease(zone, name, self.run_id, self.clock, seconds=seconds)


def lease_name(what: str) -> str:
    """Return the name of the lease's object."""
    return f"_state/replay/{what}.json"


def working_with[T](
    context: Context, component: str, work: Callable[[Upkeep], Awaitable[T]], clock: Clock | None = None
) -> T:
    """Run `work` with the tools of a context; logs go to stderr, so that stdout is the report's alone.

    Raises:
        ConfigurationError: a table, the dataset or the bucket is not there, or a setting is wrong.
    """
    configure(context.platform, component=component, stream=sys.stderr)
    try:
        return asyncio.run(_with_tools(context, component, work, clock or SystemClock()))
    except google.NotFound as error:
        raise ConfigurationError(f"something is missing, create it with `eydp provision`: {describe(error)}") from error


async def _with_tools[T](context: Context, component: str, work: Callable[[Upkeep], Awaitable[T]], clock: Clock) -> T:
    platform, emulators = context.platform, context.emulators
    own = settings.load(ReplaySettings)

    def retried(error: BaseException, tries: int, delay: float) -> None:
        logger().warning("trying again", reason=describe(error), tries=tries, delay_seconds=round(delay, 3))

    retrier = Retrier(RetryPolicy(deadline_seconds=platform.retry_deadline_seconds), clock, retried)
    timeout = platform.request_timeout_seconds
    storage, bigquery = clients.storage_client(platform, emulators), clients.bigquery_client(platform, emulators)
    zone = RawZone(storage, platform.bucket_name, retrier, timeout_seconds=timeout)
    bucket = Bucket(storage, platform.bucket_name, retrier, timeout_seconds=timeout)
    warehouse = Warehouse(
        bigquery,
        retrier,
        component=component,
        timeout_seconds=timeout,
        job_timeout_seconds=own.job_timeout_seconds,
    )
    try:
        return await work(
            Upkeep(
                context=context,
                settings=own,
                clock=clock,
                retrier=retrier,
                storage=storage,
                bigquery=bigquery,
                zone=zone,
                bucket=bucket,
                archive=Archive(zone, bucket),
                jobs=Jobs(bigquery, warehouse, retrier, component=component, timeout=timeout),
                run_id=f"{clock.now():%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}",
            )
        )
    finally:
        bigquery.close()
        storage.close()
