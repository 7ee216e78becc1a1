"""`python -m carts_poller`: the wiring, step by step."""

import argparse
import sys
from contextlib import AsyncExitStack

import aiohttp
from prometheus_client import CollectorRegistry

from carts_poller.loop import Loop
from carts_poller.poll import CONDITIONS, Parts, Poller
from carts_poller.publish import Publisher
from carts_poller.quarantine import Quarantine
from carts_poller.settings import PollerSettings
from carts_poller.store import StateStore
from carts_poller.suspicion import Suspicion
from carts_poller.verify import verify
from dataplatform import clients, settings
from dataplatform.clock import SystemClock
from dataplatform.health import Health, HealthServer
from dataplatform.logs import configure, logger
from dataplatform.metrics import PollerMetrics
from dataplatform.rawzone import RawZone
from dataplatform.retry import Retrier, RetryPolicy, describe
from dataplatform.runtime import Stop, run
from dataplatform.source import SourceClient


async def poll(*, once: bool, accept_missing: bool) -> int:
    """Poll until a signal, or once; then `accept_missing` takes whatever is missing as deleted."""
    settings.refuse_unknown(settings.PlatformSettings, settings.SourceSettings, PollerSettings)
    platform = settings.load(settings.PlatformSettings)
    emulators = settings.load(settings.EmulatorSettings)
    shop = settings.load(settings.SourceSettings)
    own = settings.load(PollerSettings)
    configure(platform, component="poller")
    clock, registry, stop = SystemClock(), CollectorRegistry(), Stop()
    stop.install()
    metrics = PollerMetrics(registry)
    health = Health(
        clock, stalled_after_seconds=own.interval_seconds + own.stalled_after_seconds, conditions=CONDITIONS
    )

    def retried(error: BaseException, tries: int, delay: float) -> None:
        health.progress()
        logger().warning("trying again", reason=describe(error), tries=tries, delay_seconds=round(delay, 3))

    def source_retried(error: BaseException, tries: int, delay: float) -> None:
        metrics.retries.inc()
        retried(error, tries, delay)

    google = Retrier(RetryPolicy(platform.retry_deadline_seconds), clock, retried)
    timeout = platform.request_timeout_seconds
    async with AsyncExitStack() as opened:
        session = await opened.enter_async_context(aiohttp.ClientSession())
        publisher = clients.publisher_client(emulators)
        opened.push_async_callback(publisher.transport.close)
        storage = clients.storage_client(platform, emulators)
        opened.callback(storage.close)
        await verify(platform, publisher, storage, google)
        zone = RawZone(storage, platform.bucket_name, google, timeout_seconds=timeout)
        parts = Parts(
            source=SourceClient(
                session, shop, Retrier(RetryPolicy(shop.retry_deadline_seconds), clock, source_retried)
            ),
            store=StateStore(zone, shop.name, clock),
            events=Publisher(publisher, platform.topic_path, own, google, timeout_seconds=timeout),
            quarantine=Quarantine(zone, shop.name),
            suspicion=Suspicion(
                max_missing_ratio=1 if accept_missing else own.max_missing_ratio, accept_after=own.accept_missing_after
            ),
        )
        poller = Poller(parts, own.path, clock, metrics, health)
        loop = Loop(poller, stop, clock, metrics, health, own.interval_seconds, own.drain_timeout_seconds)
        if once:
            if error := await loop.once():
                raise error
            return 0
        server = await opened.enter_async_context(
            HealthServer(health, registry, host=platform.metrics_host, port=platform.metrics_port)
        )
        logger().info("poller started", source=shop.url, topic=platform.topic_path, metrics_port=server.port)
        await loop.run()
        logger().info("poller stopped")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and poll."""
    parser = argparse.ArgumentParser(
        prog="carts_poller", description="Cart changes: the shop's API to Pub/Sub, one event for each change."
    )
    parser.add_argument("--once", action="store_true", help="poll once and end (default: run until SIGTERM)")
    parser.add_argument(
        "--accept-missing",
        action="store_true",
        help="with --once: take carts that are missing as deleted, however many they are",
    )
    options = parser.parse_args(arguments)
    if options.accept_missing and not options.once:
        parser.error("--accept-missing is for one poll: give --once too")
    return run(lambda: poll(once=options.once, accept_missing=options.accept_missing))


if __name__ == "__main__":
    sys.exit(main())
