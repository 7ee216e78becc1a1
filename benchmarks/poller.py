"""Measure the poller: seconds, CPU and memory of a poll by the number of carts and the share that changed.

    python benchmarks/poller.py                          10,000, 100,000 and 1,000,000 carts
    python benchmarks/poller.py --carts 10000 --carts 50000

The poller's own parts run in a process of their own on one core; the shop, the Pub/Sub emulator and the Cloud Storage
emulator run on the other. For each number of carts a new process polls four times: when all carts are new, and after
none, 1 % and all of them changed. At the end the publisher alone sends events that are there already.
"""

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import requests
from prometheus_client import CollectorRegistry

from carts_poller.changes import Sighting, changes
from carts_poller.history import CONDITIONS, History, Progress
from carts_poller.poll import Parts, Poller
from carts_poller.publish import Publisher
from carts_poller.quarantine import Quarantine
from carts_poller.settings import PollerSettings
from carts_poller.store import StateStore
from carts_poller.suspicion import Always, Suspicion
from carts_poller.table import Carts
from dataplatform import clients, settings
from dataplatform.clock import SystemClock
from dataplatform.health import Health
from dataplatform.metrics import PollerMetrics
from dataplatform.rawzone import RawZone
from dataplatform.retry import Retrier, RetryPolicy
from dataplatform.source import SourceClient
from localcloud import gcs
from rig.bench import CONSUMER_CORE, OTHER_CORE, RIG, child, machine

SIZES = (10_000, 100_000, 1_000_000)
STEPS = ((100, "all new"), (0, "0 %"), (1, "1 %"), (100, "100 %"))
PUBLISHED = 200_000
PROJECT = "bench"
_TOLD = "measured: "


@contextmanager
def place() -> Iterator[dict[str, str]]:
    """Start shop and emulators; yield the environment that makes the poller use them."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = gcs.command("127.0.0.1", port, Path(folder))
        with (
            child([sys.executable, "-m", "localcloud.pubsub", "--port", "0"], OTHER_CORE) as pubsub,
            child([sys.executable, str(RIG / "shop.py")], OTHER_CORE) as shop,
            child(command, OTHER_CORE),
        ):
            yield {
                **os.environ,
                "PUBSUB_EMULATOR_HOST": pubsub.stdout.readline().split()[-1],
                "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}",
                "EYDP_PROJECT": PROJECT,
                "EYDP_SOURCE_URL": f"http://127.0.0.1:{shop.stdout.readline().strip()}",
            }


@dataclass(frozen=True, slots=True)
class Measured:
    """One poll."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    events: int


async def worker() -> None:
    """Poll at each line of standard input and print what it took; at the line `publish` publish alone."""
    platform, emulators = settings.load(settings.PlatformSettings), settings.load(settings.EmulatorSettings)
    shop, own, clock = settings.load(settings.SourceSettings), settings.load(PollerSettings), SystemClock()
    retrier = Retrier(RetryPolicy(60), clock)
    async with AsyncExitStack() as opened:
        session = await opened.enter_async_context(aiohttp.ClientSession())
        publisher = clients.publisher_client(emulators)
        opened.push_async_callback(publisher.transport.close)
        storage = clients.storage_client(platform, emulators)
        opened.callback(storage.close)
        zone = RawZone(storage, platform.bucket_name, retrier, timeout_seconds=60)
        metrics, health = (
            PollerMetrics(CollectorRegistry()),
            Health(clock, stalled_after_seconds=60, conditions=CONDITIONS),
        )
        store = StateStore(zone, f"shop{os.getpid()}", clock, holder="bench", lease_seconds=3600)
        events = Publisher(publisher, platform.topic_path, own, retrier, timeout_seconds=60)
        history = History(store, events, Quarantine(zone, shop.name, clock), metrics)
        parts = Parts(
            SourceClient(session, shop, retrier),
            history,
            Suspicion(max_missing_ratio=1, accept_after=1),
            Always(),
        )
        poller = Poller(parts, own.path, clock, metrics, Progress(health))
        if await history.open() is not None:
            raise RuntimeError("another benchmark holds the lease")
        while line := await asyncio.to_thread(sys.stdin.readline):
            made = tuple(_events()) if line.strip() == "publish" else ()
            _forget_peak()
            began, cpu = time.monotonic(), time.process_time()
            if made:
                outcome = await events.publish(made)
                count = len(made) - len(outcome.left)
            else:
                count = await poller.poll()
            print(
                _TOLD + json.dumps([time.monotonic() - began, time.process_time() - cpu, _peak_mib(), count]),
                flush=True,
            )


def _events() -> Iterator[Any]:
    text = (
        '{"id":%d,"userId":1,"date":"2026-11-24T00:00:00.000Z",'
        '"products":[{"productId":1,"quantity":2},{"productId":21,"quantity":2},{"productId":22,"quantity":1}],"__v":0}'
    )
    seen = [Sighting(number, 7, text % number, 1_764_000_000_000_000) for number in range(PUBLISHED)]
    for change in changes(Carts(), seen, source="fakestore", epoch=1).changes:
        yield change.event


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak_mib() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def measure(process: "subprocess.Popen[str]", command: str) -> Measured:
    """Let the worker do something and return what it took."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the worker was started without pipes")
    print(command, file=process.stdin, flush=True)
    told = next(line for line in process.stdout if line.startswith(_TOLD))  # the others are its log
    return Measured(*json.loads(told.removeprefix(_TOLD)))


@contextmanager
def working(environment: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """Run a worker on its core."""
    command = [sys.executable, __file__, "--worker"]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        os.sched_setaffinity(process.pid, {CONSUMER_CORE})
        try:
            yield process
        finally:
            process.kill()


async def prepare(environment: dict[str, str]) -> None:
    """Make topic and bucket."""
    at = settings.EmulatorSettings(
        pubsub_emulator_host=environment["PUBSUB_EMULATOR_HOST"],
        storage_emulator_host=environment["STORAGE_EMULATOR_HOST"],
    )
    platform = settings.PlatformSettings(project=PROJECT)
    storage, publisher = clients.storage_client(platform, at), clients.publisher_client(at)
    storage.create_bucket(platform.bucket_name)
    await publisher.create_topic(request={"name": platform.topic_path})
    await publisher.transport.close()
    storage.close()


def change(environment: dict[str, str], carts: int, percent: int) -> None:
    """Let the shop change."""
    asked = {"carts": carts, "percent": percent}
    requests.post(f"{environment['EYDP_SOURCE_URL']}/change", json=asked, timeout=60).raise_for_status()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--carts", type=int, action="append", help="numbers of carts (default: 10,000 to 1,000,000)")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        asyncio.run(worker())
        return
    print(machine())
    print("| carts | changed | events | seconds | CPU s | CPU µs a cart | peak MiB |\n|---|---|---|---|---|---|---|")
    for carts in options.carts or SIZES:
        with place() as environment:
            asyncio.run(prepare(environment))
            with working(environment) as process:
                for percent, name in STEPS:
                    change(environment, carts, percent)
                    got = measure(process, "poll")
                    print(
                        f"| {carts:,} | {name} | {got.events:,} | {got.seconds:.1f} | {got.cpu_seconds:.1f} "
                        f"| {got.cpu_seconds / carts * 1e6:.1f} | {got.peak_mib:.0f} |",
                        flush=True,
                    )
    with place() as environment:
        asyncio.run(prepare(environment))
        with working(environment) as process:
            got = measure(process, "publish")
            rate, cost = got.events / got.seconds, got.cpu_seconds / got.events * 1e6
            print(f"\npublishing alone: {rate:,.0f} events/s, {cost:.1f} s of CPU a million")


if __name__ == "__main__":
    main()
