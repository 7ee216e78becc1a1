"""`python -m carts_poller.push`: the wiring, step by step."""

import argparse
import asyncio
import gc
import sys
from contextlib import AsyncExitStack

from prometheus_client import CollectorRegistry

from carts_poller.push.api import Api
from carts_poller.push.group import Bounds, Group
from carts_poller.push.keys import Keyring
from carts_poller.push.server import Server
from carts_poller.push.service import Service
from carts_poller.push.settings import PushSettings
from carts_poller.push.topic import Topic
from carts_poller.push.watch import CONDITIONS, KeyWatch, Reachable, watch
from carts_poller.verify import may_publish, verify_topic
from dataplatform import clients, settings
from dataplatform.channel import Renewable
from dataplatform.clock import SystemClock
from dataplatform.health import Health, HealthServer
from dataplatform.logs import configure, logger
from dataplatform.metrics import PushMetrics
from dataplatform.retry import Retrier, RetryPolicy, describe
from dataplatform.runtime import Stop, run

#: Between two tries of a publish request; clients wait meanwhile.
_BACKOFF_SECONDS = 1.0


async def serve() -> int:
    """Take pushed carts until a signal, then finish what is at work."""
    settings.refuse_unknown(settings.PlatformSettings, settings.SourceSettings, PushSettings)
    platform = settings.load(settings.PlatformSettings)
    emulators = settings.load(settings.EmulatorSettings)
    shop = settings.load(settings.SourceSettings)
    own = settings.load(PushSettings)
    configure(platform, component="push")
    clock, registry, stop = SystemClock(), CollectorRegistry(), Stop()
    stop.install()
    keyring = Keyring(own.keys_dir)
    metrics = PushMetrics(registry)
    health = Health(clock, stalled_after_seconds=own.stalled_after_seconds, conditions=CONDITIONS)

    def retried(error: BaseException, tries: int, delay: float) -> None:
        metrics.retries.inc()
        logger().warning("trying again", reason=describe(error), tries=tries, delay_seconds=round(delay, 3))

    def retrier(deadline_seconds: float) -> Retrier:
        return Retrier(RetryPolicy(deadline_seconds, maximum_seconds=_BACKOFF_SECONDS), clock, retried)

    name, timeout = platform.push_topic_path, platform.request_timeout_seconds
    async with AsyncExitStack() as opened:
        client = Renewable(lambda: clients.publisher_client(emulators), clock)
        opened.push_async_callback(_closed, client)
        await verify_topic(name, timeout, client, retrier(platform.retry_deadline_seconds))
        health.up("pubsub")
        topic = Topic(
            client, name, retrier(own.publish_deadline_seconds), metrics, timeout_seconds=own.publish_timeout_seconds
        )
        reachable = Reachable(topic.send, lambda: may_publish(name, timeout, client), health)
        bounds = Bounds(
            own.linger_milliseconds / 1000,
            own.publish_batch_messages,
            own.publish_batch_bytes,
            own.publish_max_in_flight,
        )
        group = Group(reachable.send, bounds, clock)
        api = Api(Service(shop.name, keyring, group, own, clock, metrics), own, clock, metrics)
        looking = watch(
            KeyWatch(keyring, metrics),
            own.keys_reread_seconds,
            group,
            reachable,
            health,
            clock,
            patience_seconds=own.stalled_after_seconds / 2,
        )
        probes = await opened.enter_async_context(
            HealthServer(health, registry, host=platform.metrics_host, port=platform.metrics_port)
        )
        working = {asyncio.create_task(client.run()), asyncio.create_task(group.run()), asyncio.create_task(looking)}
        opened.push_async_callback(_cancelled, working)
        server = Server(api, host=own.host, port=own.port, drain_seconds=own.drain_timeout_seconds)
        async with server:
            health.up("serving")
            logger().info(
                "push service started", topic=name, source=shop.name, port=server.port, metrics_port=probes.port
            )
            _spare_the_collector()
            stopping = asyncio.create_task(stop.wait())
            ended, _ = await asyncio.wait({stopping, *working}, return_when=asyncio.FIRST_COMPLETED)
            health.down("serving", "stopping")
            stopping.cancel()
        for task in ended - {stopping}:
            task.result()  # only a bug ends them; it must be seen
        logger().info("push service stopped")
    return 0


def _spare_the_collector() -> None:
    """Requests hold many objects and no cycles: by default looking for some costs a third of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


async def _closed(client: Renewable) -> None:
    await client.transport.close()


async def _cancelled(tasks: "set[asyncio.Task[None]]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="carts_poller.push",
        description="Pushed carts over HTTP, signed, to Pub/Sub; the poller makes them events.",
    )
    parser.parse_args(arguments)
    return run(serve)


if __name__ == "__main__":
    sys.exit(main())
