"""`python -m batch_ingest`: the wiring, step by step."""

import argparse
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import date

import aiohttp
from prometheus_client import CollectorRegistry, write_to_textfile

from batch_ingest.entities import ENTITIES, Entity
from batch_ingest.load import Loader
from batch_ingest.run import Batch
from batch_ingest.settings import BatchSettings
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


async def ingest(entities: Sequence[Entity], day: date, clock: Clock) -> int:
    """Load the entities one after the other; one that fails does not keep the next one from its turn."""
    settings.refuse_unknown(settings.PlatformSettings, settings.SourceSettings, BatchSettings)
    platform = settings.load(settings.PlatformSettings)
    emulators = settings.load(settings.EmulatorSettings)
    shop = settings.load(settings.SourceSettings)
    own = settings.load(BatchSettings)
    configure(platform, component="batch")
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
        await verify(platform, [entity.table for entity in entities], storage, bigquery, google)
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
        )
        code = 0
        for entity in entities:
            code = await _one(batch, entity, day) or code
    if own.metrics_file:
        _write_metrics(own.metrics_file, registry)
    return code


async def _one(batch: Batch, entity: Entity, day: date) -> int:
    """Run one entity; say in one sentence on stderr what stood in its way, and return the exit code."""
    try:
        await batch.run(entity, day)
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
        type=_day,
        default=today,
        metavar="YYYY-MM-DD",
        help="the day that the run is named after (default: today in UTC)",
    )
    options = parser.parse_args(arguments)
    if options.date > today:
        parser.error(f"argument --date: {options.date} is in the future; today is {today} in UTC")
    chosen = list(ENTITIES.values()) if options.entity == "all" else [ENTITIES[options.entity]]
    return run(lambda: ingest(chosen, options.date, clock))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day such as 2026-11-24") from error
