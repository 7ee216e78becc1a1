"""`python -m carts_poller`: the wiring, step by step."""

import argparse
import asyncio
import socket
import sys
from contextlib import AsyncExitStack
from uuid import uuid4

import aiohttp
from prometheus_client import CollectorRegistry

from carts_poller.history import CONDITIONS, History, Progress
from carts_poller.loop import Loop
from carts_poller.poll import Parts, Poller
from carts_poller.publish import Publisher
from carts_poller.pushes import Pushes
from carts_poller.quarantine import Quarantine
from carts_poller.settings import PollerSettings
from carts_poller.store import StateStore
from carts_poller.suspicion import Always, Marked, Suspicion
from carts_poller.verify import verify, verify_subscription
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
    """Poll until a signal, or once; `accept_missing` alone tells a poller that runs to believe a suspicious answer."""
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
        subscriber = clients.subscriber_client(emulators)
        opened.push_async_callback(subscriber.transport.close)
        if own.pushes:
            await verify_subscription(platform, subscriber, google)
        zone = RawZone(storage, platform.bucket_name, google, timeout_seconds=timeout)
        marked = Marked(zone, shop.name)
        if accept_missing and not once:
            await marked.give()
            logger().info("the next suspicious answer will be believed", mark=zone.uri(marked.name))
            return 0
        store = StateStore(
            zone, shop.name, clock, holder=f"{socket.gethostname()}-{uuid4().hex[:8]}", lease_seconds=own.lease_seconds
        )
        events = Publisher(publisher, platform.topic_path, own, google, timeout_seconds=timeout)
        history = History(store, events, Quarantine(zone, shop.name, clock), metrics)
        parts = Parts(
            source=SourceClient(
                session, shop, Retrier(RetryPolicy(shop.retry_deadline_seconds), clock, source_retried)
            ),
            history=history,
            suspicion=Suspicion(max_missing_ratio=own.max_missing_ratio, accept_after=own.accept_missing_after),
            acceptance=Always() if accept_missing else marked,
        )
        loop = Loop(
            history,
            Poller(parts, own.path, clock, metrics, Progress(health)),
            stop,
            clock,
            metrics,
            health,
            own.interval_seconds,
            own.drain_timeout_seconds,
            own.lease_seconds,
            own.jitter_seconds,
        )
        if once:
            if error := await loop.single():
                raise error
            return 0
        server = await opened.enter_async_context(
            HealthServer(health, registry, host=platform.metrics_host, port=platform.metrics_port)
        )
        logger().info("poller started", source=shop.url, topic=platform.topic_path, metrics_port=server.port)
        if own.pushes:
            await _both(
                loop,
                Pushes(
                    subscriber,
                    platform.push_subscription_path,
                    shop.name,
                    history,
                    google,
                    metrics,
                    Progress(health),
                    timeout_seconds=timeout,
                ),
                stop,
            )
        else:
            await loop.run()
        logger().info("poller stopped")
    return 0


async def _both(loop: Loop, pushes: Pushes, stop: Stop) -> None:
    """Run both until `stop`; a bug in one of them ends the other, too."""
    async with asyncio.TaskGroup() as group:
        pushing = group.create_task(pushes.run(stop))
        await loop.run(last=pushing)


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and poll."""
    parser = argparse.ArgumentParser(
        prog="carts_poller", description="Cart changes: the shop's API to Pub/Sub, one event for each change."
    )
    parser.add_argument("--once", action="store_true", help="poll once and end (default: run until SIGTERM)")
    parser.add_argument(
        "--accept-missing",
        action="store_true",
        help="take carts that are missing as deleted, however many they are: in this one poll with --once, else in "
        "the next suspicious answer that the running poller gets",
    )
    options = parser.parse_args(arguments)
    return run(lambda: poll(once=options.once, accept_missing=options.accept_missing))


if __name__ == "__main__":
    sys.exit(main())
