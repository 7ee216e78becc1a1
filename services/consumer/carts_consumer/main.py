"""`python -m carts_consumer`: the wiring, step by step."""

import argparse
import asyncio
import sys

from prometheus_client import CollectorRegistry

from carts_consumer.append import Appender
from carts_consumer.guard import RedeliveryGuard
from carts_consumer.intake import Intake
from carts_consumer.parts import Parts
from carts_consumer.pipeline import Pipeline
from carts_consumer.quarantine import Quarantine
from carts_consumer.rows import RowType
from carts_consumer.settings import ConsumerSettings
from carts_consumer.steadfast import Steadfast
from carts_consumer.subscription import Subscription
from carts_consumer.tuning import tune
from carts_consumer.verify import verify
from dataplatform import clients, schemas, settings
from dataplatform.channel import Renewable
from dataplatform.clock import SystemClock
from dataplatform.health import Health, HealthServer
from dataplatform.logs import configure, logger
from dataplatform.metrics import ConsumerMetrics
from dataplatform.rawzone import RawZone
from dataplatform.retry import Retrier, RetryPolicy, describe
from dataplatform.runtime import Stop, run
from dataplatform.warehouse import Warehouse

#: After draining: giving back and closing must not outlast the grace period when a service is slow.
_COURTESY_SECONDS = 4.0


async def consume(*, until_idle: float | None) -> int:
    """Consume until a signal, or until nothing came for `until_idle` seconds and nothing is held."""
    settings.refuse_unknown(settings.PlatformSettings, ConsumerSettings)
    platform = settings.load(settings.PlatformSettings)
    emulators = settings.load(settings.EmulatorSettings)
    own = settings.load(ConsumerSettings)
    configure(platform, component="consumer")
    clock, registry, stop = SystemClock(), CollectorRegistry(), Stop()
    stop.install()
    metrics = ConsumerMetrics(registry)
    health = Health(
        clock,
        stalled_after_seconds=own.stalled_after_seconds,
        conditions=("pubsub", "storage", "bigquery", "circuit"),
    )
    pubsub, storage, bigquery = (
        Steadfast(name, clock, health, metrics.retries) for name in ("pubsub", "storage", "bigquery")
    )
    timeout = platform.request_timeout_seconds
    subscriber = Renewable(lambda: clients.subscriber_client(emulators), clock)
    writer = Renewable(lambda: clients.write_client(emulators), clock)
    acknowledging = Retrier(RetryPolicy(deadline_seconds=own.lease_seconds), clock)
    warehouse = Warehouse(
        clients.bigquery_client(platform, emulators), bigquery.retrier, component="consumer", timeout_seconds=timeout
    )
    zone = RawZone(
        clients.storage_client(platform, emulators), platform.bucket_name, storage.retrier, timeout_seconds=timeout
    )
    row_type = RowType(schemas.CART_EVENTS)
    events = platform.raw_table(schemas.CART_EVENTS.name)
    parts = Parts(
        subscription=Subscription(subscriber, platform.subscription_path, acknowledging, timeout_seconds=timeout),
        zone=zone,
        appender=Appender(
            writer,
            events,
            row_type,
            clock,
            bigquery,
            timeout_seconds=own.append_timeout_seconds,
            generation=lambda: writer.generation,
        ),
        guard=RedeliveryGuard(warehouse, events),
        quarantine=Quarantine(
            zone, writer, platform.raw_table(schemas.QUARANTINE.name), source="unknown", timeout_seconds=timeout
        ),
        row_type=row_type,
        storage=storage,
        bigquery=bigquery,
    )
    await verify(platform, emulators, parts.subscription, clock)
    storage.recovered()
    pipeline = Pipeline(parts, own, clock, metrics, health)
    intake = Intake(subscriber, platform.subscription_path, pipeline, pubsub, own, clock, metrics, health)
    async with HealthServer(health, registry, host=platform.metrics_host, port=platform.metrics_port) as server:
        logger().info("consumer started", subscription=platform.subscription_path, metrics_port=server.port)
        tune()
        watching = [asyncio.create_task(client.run()) for client in (subscriber, writer)]
        working = asyncio.create_task(pipeline.run())
        pulling = asyncio.create_task(intake.run())
        stopping = asyncio.create_task(_stopped(stop, pipeline, clock, until_idle))
        await asyncio.wait({working, pulling, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        pulling.cancel()
        await asyncio.wait({pulling})
        for task in (working, pulling):
            if task.done() and not task.cancelled():
                task.result()  # only a bug ends them; it must be seen
        await _shut_down(pipeline, parts, working, own.drain_timeout_seconds)
        for watcher in watching:
            watcher.cancel()
    logger().info("consumer stopped")
    return 0


async def _stopped(stop: Stop, pipeline: Pipeline, clock: SystemClock, until_idle: float | None) -> None:
    while not await stop.wait_for(0.1 if until_idle is not None else 3600):
        idle = clock.monotonic() - pipeline.last_received
        if until_idle is not None and not pipeline.leases and idle >= until_idle:
            return


async def _shut_down(pipeline: Pipeline, parts: Parts, working: "asyncio.Task[None]", drain_seconds: float) -> None:
    """Flush and acknowledge what is held, as long as the drain timeout allows; give back the rest; close."""
    draining = asyncio.create_task(pipeline.drain())
    await asyncio.wait({draining, working}, timeout=drain_seconds, return_when=asyncio.FIRST_COMPLETED)
    draining.cancel()
    working.cancel()
    await asyncio.wait({draining, working})
    try:
        async with asyncio.timeout(_COURTESY_SECONDS):
            await pipeline.give_back()
            await parts.appender.finalize()
    except Exception as error:  # noqa: BLE001 - both are courtesies: leases lapse, BigQuery finalises a stream in time
        logger().warning("not closed in good order", reason=describe(error))


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and consume."""
    parser = argparse.ArgumentParser(prog="carts_consumer", description="Cart events: Pub/Sub to bucket and BigQuery.")
    parser.add_argument(
        "--until-idle",
        type=float,
        nargs="?",
        const=2.0,
        metavar="SECONDS",
        help="stop when no message came for so long (2 s) and nothing is held; without it, run until SIGTERM",
    )
    options = parser.parse_args(arguments)
    return run(lambda: consume(until_idle=options.until_idle))


if __name__ == "__main__":
    sys.exit(main())
