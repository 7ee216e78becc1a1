"""The consumer's throughput, CPU and memory, against sinks that answer at once, beside what people usually write.

    python benchmarks/consumer.py [--events 1000000] [--small 50000] [--profile]

The embedded Pub/Sub emulator and the sinks have one core, the consumer under test the other. All rows of the table
come from one run on one machine; compare them with each other, not with another machine's.
"""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
from google.pubsub_v1 import types

from dataplatform.clock import rfc3339
from dataplatform.models import event_id

_HERE = Path(__file__).parent
_PROJECT = "bench"
_TOPIC = f"projects/{_PROJECT}/topics/carts-events"
_SUBSCRIPTION = f"projects/{_PROJECT}/subscriptions/carts-events-sub"
_IDLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One row of the table."""

    name: str
    events: int
    rate: float
    cpu_per_million: float
    peak_mib: float


def event(i: int, observed_at: str) -> tuple[str, bytes]:
    """Return id and payload of a cart event of about 400 bytes with four lines."""
    key = event_id("fakestore", 1, i, 1)
    cart = {
        "id": i,
        "userId": i % 1000,
        "date": "2026-11-24T00:00:00.000Z",
        "products": [{"productId": j + i % 20, "quantity": j + 1} for j in range(4)],
    }
    body = {
        "event_id": key,
        "event_type": "cart_created",
        "schema_version": 1,
        "source": "fakestore",
        "epoch": 1,
        "cart_id": i,
        "version": 1,
        "observed_at": observed_at,
        "cart": cart,
    }
    return key, json.dumps(body, separators=(",", ":")).encode()


async def fill(address: str, events: int) -> None:
    """Make topic and subscription anew and publish the events."""
    async with grpc.aio.insecure_channel(address) as channel:

        async def call(method: str, message: Any) -> None:
            await channel.unary_unary(f"/google.pubsub.v1.{method}")(message.SerializeToString())

        topic, subscription = types.Topic.pb(types.Topic(name=_TOPIC)), types.Subscription()
        subscription.name, subscription.topic, subscription.ack_deadline_seconds = _SUBSCRIPTION, _TOPIC, 60
        for method, message in (
            ("Subscriber/DeleteSubscription", types.DeleteSubscriptionRequest.pb()(subscription=_SUBSCRIPTION)),
            ("Publisher/CreateTopic", topic),
        ):
            try:
                await call(method, message)
            except grpc.aio.AioRpcError as error:
                if error.code() not in {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.ALREADY_EXISTS}:
                    raise
        await call("Subscriber/CreateSubscription", types.Subscription.pb(subscription))
        observed_at = rfc3339(datetime.now(UTC))
        for start in range(0, events, 1000):
            request = types.PublishRequest.pb()(topic=_TOPIC)
            for i in range(start, min(events, start + 1000)):
                key, data = event(i, observed_at)
                attributes = {
                    "event_id": key,
                    "event_type": "cart_created",
                    "schema_version": "1",
                    "source": "fakestore",
                }
                request.messages.add(data=data, attributes=attributes)
            await call("Publisher/Publish", request)


@contextmanager
def child(command: Sequence[str], core: int, environment: Mapping[str, str] | None = None) -> Iterator[Any]:
    """Run a process on one core and end it afterwards."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    os.sched_setaffinity(process.pid, {core})
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def stats(http: str) -> dict[str, Any]:
    """Return what the sinks counted."""
    with urllib.request.urlopen(f"http://{http}/stats") as answer:
        counted: dict[str, Any] = json.load(answer)
    return counted


def measure(name: str, command: Sequence[str], environment: Mapping[str, str], events: int, core: int) -> Measured:
    """Run one of the usual consumers to its end.

    The program writes `{"events", "seconds", "cpu_seconds", "peak_mib"}` as its last line.
    """
    with child(command, core, environment) as process:
        output, _ = process.communicate()
    last = json.loads(output.strip().splitlines()[-1])
    if last["events"] != events:
        raise SystemExit(f"{name} handled {last['events']} of {events} events")
    return Measured(name, events, events / last["seconds"], last["cpu_seconds"] / events * 1e6, last["peak_mib"])


def measure_ours(environment: Mapping[str, str], http: str, events: int, core: int, profile: str | None) -> Measured:
    """Run `python -m carts_consumer` on the backlog, sampling its CPU time until the last row is in."""
    python = [sys.executable, *(["-m", "cProfile", "-o", profile] if profile else [])]
    before = stats(http)["rows"]
    first = last = None
    with child([*python, "-m", "carts_consumer", "--until-idle", str(_IDLE_SECONDS)], core, environment) as process:
        while process.poll() is None:
            rows = stats(http)["rows"] - before
            sample = (time.monotonic(), rows, _cpu_seconds(process.pid), _peak_mib(process.pid))
            if rows and first is None:
                first = sample
            if first is not None and sample[3] and (last is None or rows > last[1]):
                last = sample
            time.sleep(0.1)
    if first is None or last is None or last[1] != events:
        raise SystemExit(f"the consumer appended {last[1] if last else 0} of {events} events")
    handled = last[1] - first[1]
    return Measured(
        "this consumer, everything on",
        events,
        handled / (last[0] - first[0]),
        (last[2] - first[2]) / handled * 1e6,
        last[3],
    )


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mib(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    line = next((line for line in status.splitlines() if line.startswith("VmHWM")), "VmHWM: 0")
    return int(line.split()[1]) / 1024


def main() -> None:
    """Measure each consumer and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000, help="for this consumer and the raw pull")
    parser.add_argument("--small", type=int, default=50_000, help="for subscribe(); the plain consumer has a tenth")
    parser.add_argument("--profile", action="store_true", help="also print this consumer's hot functions")
    options = parser.parse_args()
    consumer_core, other_core = 0, os.cpu_count() or 1
    other_core -= 1
    table: list[Measured] = []
    emulator = [sys.executable, "-m", "localcloud.pubsub", "--port", "0"]
    with (
        child(emulator, other_core) as pubsub,
        child([sys.executable, str(_HERE / "sinks.py")], other_core) as sinks,
        tempfile.TemporaryDirectory() as folder,
    ):
        address = pubsub.stdout.readline().split()[-1]
        where = json.loads(sinks.stdout.readline())
        environment = {
            **os.environ,
            "PUBSUB_EMULATOR_HOST": address,
            "STORAGE_EMULATOR_HOST": f"http://{where['http']}",
            "BIGQUERY_EMULATOR_HOST": f"http://{where['http']}",
            "BIGQUERY_STORAGE_EMULATOR_HOST": where["grpc"],
            "EYDP_PROJECT": _PROJECT,
            "EYDP_METRICS_PORT": "0",
        }
        asyncio.run(fill(address, options.events))
        table.append(measure_ours(environment, where["http"], options.events, consumer_core, None))
        for name, mode, count in (
            ("raw streaming pull that only acknowledges", "raw", options.events),
            ("subscribe() that only acknowledges", "subscribe", options.small),
            ("subscribe(), pydantic, insert_rows_json a message", "plain", max(1, options.small // 10)),
        ):
            asyncio.run(fill(address, count))
            command = [sys.executable, str(_HERE / "usual_consumers.py"), mode, _SUBSCRIPTION, str(count)]
            table.append(measure(name, command, environment, count, consumer_core))
        if options.profile:
            asyncio.run(fill(address, options.small))
            profile = f"{folder}/profile"
            measure_ours(environment, where["http"], options.small, consumer_core, profile)
            _print_profile(profile)
    _print(table)


def _print_profile(profile: str) -> None:
    import pstats

    pstats.Stats(profile).sort_stats("tottime").print_stats(25)


def _print(table: Sequence[Measured]) -> None:
    print(f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}")
    print(f"{'consumer':<52}{'events':>10}{'events/s':>10}{'CPU s/M':>9}{'peak MiB':>10}{'ratio':>8}")
    ours = table[0].rate
    for row in table:
        print(
            f"{row.name:<52}{row.events:>10,}{row.rate:>10,.0f}{row.cpu_per_million:>9.1f}{row.peak_mib:>10.0f}"
            f"{ours / row.rate:>8.2f}"
        )
    print("ratio: how many times as many events a second this consumer handles")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
