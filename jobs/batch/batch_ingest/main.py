"""`python -m batch_ingest`: the wiring, step by step."""

import argparse
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date, timedelta

import aiohttp
from prometheus_client import CollectorRegistry, write_to_textfile

from batch_ingest.backfill import Backfill
from batch_ingest.entities import ENTITIES, Entity
from batch_ingest.guards import GUARDS
from batch_ingest.load import Loader
from batch_ingest.personal import protector
from batch_ingest.progress import terminal
from batch_ingest.report import Report
from batch_ingest.run import Batch
from batch_ingest.settings import BatchSettings
from batch_ingest.tuning import tune
from batch_ingest.verify import verify
from dataplatform import clients, settings
from dataplatform.clock import Clock, SystemClock
from dataplatform.errors import ConfigurationError
from dataplatform.logs import configure, logger
from dataplatform.metrics import BatchMetrics
from dataplatform.rawzone import RawZone
from dataplatform.retry import Retrier, RetryPolicy, describe
from dataplatform.runtime import complain, run, told
from dataplatform.source import SourceClient
from dataplatform.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Task:
    """What the command line asks for."""

    entities: Sequence[Entity]
    days: Sequence[date]
    today: date
    from_source: bool = False
    parallel: int = 1
    allowed: Sequence[str] = ()


async def ingest(task: Task, clock: Clock) -> int:
    """Load the entities one after the other; one that fails does not keep the next one from its turn."""
    settings.refuse_unknown(settings.PlatformSettings, settings.SourceSettings, BatchSettings)
    platform = settings.load(settings.PlatformSettings)
    emulators = settings.load(settings.EmulatorSettings)
    shop = settings.load(settings.SourceSettings)
    own = settings.load(BatchSettings)
    configure(platform, component="batch")
    protect = protector(own)
    registry = CollectorRegistry()

    def retried(error: BaseException, tries: int, delay: float) -> None:
        logger().warning("trying again", reason=describe(error), tries=tries, delay_seconds=round(delay, 3))

    google = Retrier(RetryPolicy(platform.retry_deadline_seconds), clock, retried)
    timeout = platform.request_timeout_seconds
    async with AsyncExitStack() as opened:
        session = await opened.enter_async_context(aiohttp.ClientSession())
        storage = clients.storage_client(platform, emulators)
        opened.callback(storage.close)
        bigquery = clients.bigquery_client(platform, emulators)
        opened.callback(bigquery.close)
        await verify(platform, task.entities, storage, bigquery, google)
        warehouse = Warehouse(
            bigquery,
            google,
            component="batch",
            timeout_seconds=timeout,
            job_timeout_seconds=own.job_timeout_seconds,
        )
        batch = Batch(
            source=SourceClient(session, shop, Retrier(RetryPolicy(shop.retry_deadline_seconds), clock, retried)),
            source_name=shop.name,
            zone=RawZone(storage, platform.bucket_name, google, timeout_seconds=timeout),
            loader=Loader(warehouse, platform),
            settings=own,
            clock=clock,
            metrics=BatchMetrics(registry),
            protect=protect,
            allowed=task.allowed,
            terminal=terminal(),
        )
        tune()
        code = 0
        for entity in task.entities:
            if task.from_source:
                code = await _one(batch.run(entity, task.days[0])) or code
            else:
                code = await Backfill(batch, entity, task.today, task.parallel).run(task.days, _one) or code
    if own.metrics_file:
        _write_metrics(own.metrics_file, registry)
    return code


async def _one(load: Awaitable[Report | None]) -> int:
    """Await one load; say in one sentence on stderr what stood in its way, and return the exit code."""
    try:
        await load
    except Exception as error:  # noqa: BLE001 - told to a person, or raised again
        failure = told(error)
        complain(str(failure))
        return failure.exit_code
    return 0


def _write_metrics(path: str, registry: CollectorRegistry) -> None:
    try:
        write_to_textfile(path, registry)
    except OSError as error:
        raise ConfigurationError(
            f"metrics could not be written to {path}: {error.strerror}; correct EYDP_BATCH_METRICS_FILE"
        ) from error


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and load."""
    clock = SystemClock()
    today = clock.now().date()
    parser = argparse.ArgumentParser(
        prog="batch_ingest",
        description="Products and users: the shop's API to the raw zone and to BigQuery, safe to run again.",
        epilog="Exit codes: 0 loaded, 65 refused by a guard or invalid, 69 unavailable, 75 busy, 78 misconfigured.",
    )
    parser.add_argument(
        "--entity", choices=[*ENTITIES, "all"], default="all", help="what to load (default: %(default)s)"
    )
    parser.add_argument(
        "--date",
        type=_days,
        default=[today],
        metavar="DAY[..DAY]",
        help="today (the default, in UTC) is loaded from the source; another day, or a range of days with both ends, "
        "from the raw zone",
    )
    parser.add_argument(
        "--from-source", action="store_true", help="load what the source has now under the name of a past day"
    )
    parser.add_argument(
        "--parallel", type=_at_least_one, default=1, metavar="N", help="days of a range that are prepared at once"
    )
    parser.add_argument(
        "--allow",
        choices=GUARDS,
        action="append",
        default=[],
        metavar="GUARD",
        help=f"let a guard warn only; again for more. Guards: {', '.join(GUARDS)}",
    )
    options = parser.parse_args(arguments)
    days: list[date] = options.date
    if days[-1] > today:
        parser.error(f"argument --date: {days[-1]} is in the future; today is {today} in UTC")
    if options.from_source and len(days) > 1:
        parser.error("argument --from-source: the source has no past, so there is one day to give it to")
    chosen = list(ENTITIES.values()) if options.entity == "all" else [ENTITIES[options.entity]]
    task = Task(
        chosen,
        days,
        today,
        from_source=options.from_source or days == [today],
        parallel=options.parallel,
        allowed=options.allow,
    )
    return run(lambda: ingest(task, clock))


def _days(text: str) -> list[date]:
    """Read a day, or all days of a range."""
    begin, dots, end = text.partition("..")
    first = _day(begin)
    last = _day(end) if dots else first
    if last < first:
        raise argparse.ArgumentTypeError(f"{text!r} ends before it begins")
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day such as 2026-11-24") from error


def _at_least_one(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)
