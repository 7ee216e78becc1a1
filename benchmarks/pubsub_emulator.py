"""Measure the Pub/Sub emulator: messages a second published and delivered, and its memory.

    python benchmarks/pubsub_emulator.py --messages 200000
    python benchmarks/pubsub_emulator.py --messages 1000000 --repeat 1

The emulator runs as a process of its own; this one is both publisher and subscriber, with raw gRPC calls and
protobuf classes without wrappers. Requests are serialised before the clock starts. First the whole backlog is
published and then delivered; after that as many messages again go through in ten rounds, published and
delivered at once, to see whether memory grows.
"""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import psutil
from google.pubsub_v1 import types

ROOT = Path(__file__).resolve().parent.parent
TOPIC = "projects/bench/topics/events"
SUBSCRIPTION = "projects/bench/subscriptions/events"
BATCH = 1_000
CONCURRENT_PUBLISHES = 4
ROUNDS = 10
MEBIBYTE = 1 << 20


def raw(name: str) -> Any:
    """Return the protobuf class behind a wrapper of `google.pubsub_v1`."""
    wrapper = getattr(types, name)
    return type(wrapper.pb(wrapper()))


def publish_request(first: int) -> bytes:
    """Return a serialised request of a thousand messages like the platform's own."""
    request = raw("PublishRequest")(topic=TOPIC)
    for number in range(first, first + BATCH):
        event = {
            "event_id": f"6f9619ff-8b86-5011-b42d-{number:012x}",
            "event_type": "cart_updated",
            "schema_version": 1,
            "source": "fakestore",
            "cart_id": number,
            "version": number % 7 + 1,
            "observed_at": "2026-11-24T06:06:48.123456Z",
            "cart": {"id": number, "userId": number % 1000, "products": [{"productId": 3, "quantity": 2}]},
        }
        request.messages.add(
            data=json.dumps(event, separators=(",", ":")).encode(),
            attributes={
                "event_id": event["event_id"],
                "event_type": "cart_updated",
                "schema_version": "1",
                "source": "fakestore",
            },
        )
    return bytes(request.SerializeToString())


class Client:
    """The calls that the benchmark needs, on one channel."""

    def __init__(self, address: str) -> None:
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self.channel = grpc.aio.insecure_channel(address, options=options)
        self.publish = self.channel.unary_unary("/google.pubsub.v1.Publisher/Publish")
        self.acknowledge = self.channel.unary_unary(
            "/google.pubsub.v1.Subscriber/Acknowledge",
            request_serializer=raw("AcknowledgeRequest").SerializeToString,
        )
        self.streaming_pull = self.channel.stream_stream(
            "/google.pubsub.v1.Subscriber/StreamingPull",
            request_serializer=raw("StreamingPullRequest").SerializeToString,
            response_deserializer=raw("StreamingPullResponse").FromString,
        )

    async def provision(self) -> None:
        """Create the topic and its subscription."""
        create_topic = self.channel.unary_unary("/google.pubsub.v1.Publisher/CreateTopic")
        await create_topic(raw("Topic")(name=TOPIC).SerializeToString())
        create = self.channel.unary_unary("/google.pubsub.v1.Subscriber/CreateSubscription")
        await create(raw("Subscription")(name=SUBSCRIPTION, topic=TOPIC, ack_deadline_seconds=600).SerializeToString())

    async def publish_all(self, requests: list[bytes]) -> float:
        """Send the requests, a few at a time; return the seconds it took."""
        waiting = iter(requests)

        async def worker() -> None:
            for request in waiting:
                await self.publish(request)

        started = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(CONCURRENT_PUBLISHES)))
        return time.perf_counter() - started

    async def receive_all(self, count: int) -> float:
        """Receive and acknowledge so many messages on one stream; return the seconds it took."""
        acknowledge_request = raw("AcknowledgeRequest")
        pending: set[asyncio.Task[None]] = set()

        async def acknowledge(ack_ids: list[str]) -> None:
            await self.acknowledge(acknowledge_request(subscription=SUBSCRIPTION, ack_ids=ack_ids))

        started = time.perf_counter()
        call = self.streaming_pull()
        await call.write(raw("StreamingPullRequest")(subscription=SUBSCRIPTION, stream_ack_deadline_seconds=600))
        received = 0
        while received < count:
            response = await call.read()
            ack_ids = []
            for message in response.received_messages:
                if not message.message.data:
                    raise AssertionError("a message came without its data")
                ack_ids.append(message.ack_id)
            received += len(ack_ids)
            task = asyncio.create_task(acknowledge(ack_ids))
            pending.add(task)
            task.add_done_callback(pending.discard)
        await asyncio.gather(*pending)
        seconds = time.perf_counter() - started
        call.cancel()
        return seconds


@dataclass
class Memory:
    """The resident memory of a process, in MiB, with the peak since the last reset."""

    process: psutil.Process
    peak: float = 0.0

    def now(self) -> float:
        """Read it."""
        value = self.process.memory_info().rss / MEBIBYTE
        self.peak = max(self.peak, value)
        return float(value)

    async def watch(self) -> None:
        """Keep the peak true until cancelled."""
        while True:
            self.now()
            await asyncio.sleep(0.1)

    async def settled(self) -> float:
        """Return the memory two seconds after the last work."""
        await asyncio.sleep(2)
        return self.now()


@asynccontextmanager
async def emulator() -> AsyncIterator[tuple[str, psutil.Process]]:
    """Run the emulator on a free port; yield its address and its process."""
    path = os.pathsep.join([str(ROOT / "common"), str(ROOT / "local")])
    process = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs while it starts
        [sys.executable, "-m", "localcloud.pubsub", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    try:
        if process.stdout is None:
            raise RuntimeError("the emulator has no output")
        line = process.stdout.readline()
        if not line.startswith("listening "):
            raise RuntimeError(f"the emulator did not start: {line!r}")
        yield line.split()[1], psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(10)


@dataclass
class Result:
    """One run: rates in messages a second, memory in MiB."""

    published: float
    delivered: float
    rss_before: float
    rss_peak: float
    rss_after: float
    rss_rounds: list[float]
    cpu_seconds: float


async def run(requests: list[bytes], *, rounds: bool) -> Result:
    """Run both phases once, on a fresh emulator."""
    count = len(requests) * BATCH
    async with emulator() as (address, process):
        client = Client(address)
        await client.provision()
        memory = Memory(process)
        watching = asyncio.create_task(memory.watch())
        before = memory.now()
        publishing = await client.publish_all(requests)
        receiving = await client.receive_all(count)
        peak, after = memory.peak, await memory.settled()
        after_rounds = []
        step = max(len(requests) // ROUNDS, 1)
        for start in range(0, len(requests) if rounds else 0, step):
            chunk = requests[start : start + step]
            await asyncio.gather(client.publish_all(chunk), client.receive_all(len(chunk) * BATCH))
            after_rounds.append(memory.now())
        times = process.cpu_times()
        watching.cancel()
        await client.channel.close()
        return Result(
            count / publishing,
            count / receiving,
            before,
            peak,
            after,
            after_rounds,
            times.user + times.system,
        )


def cpu_model() -> str:
    """Return the processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def main() -> None:
    """Parse the arguments, run, print the table."""
    parser = argparse.ArgumentParser(description="Measure the Pub/Sub emulator.")
    parser.add_argument("--messages", type=int, default=200_000, help="messages a phase (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="runs, of which the best counts (default: %(default)s)")
    options = parser.parse_args()
    batches = max(1, options.messages // BATCH)
    requests = [publish_request(number * BATCH) for number in range(batches)]
    size = sum(map(len, requests)) / (batches * BATCH)
    versions = f"Python {platform.python_version()}, grpcio {grpc.__version__}"
    print(f"{cpu_model()}, {os.cpu_count()} cores, {versions}")
    print(f"{batches * BATCH:,} messages of {size:.0f} bytes, published {BATCH:,} a request, one stream\n")
    print("RSS of the emulator in MiB: before, at its peak, after the last ack, after each round")
    print(f"{'run':>4} {'published/s':>12} {'delivered/s':>12} {'before':>7} {'peak':>7} {'after':>7}  rounds")
    results = []
    for number in range(1, options.repeat + 1):
        result = asyncio.run(run(requests, rounds=number == options.repeat))
        results.append(result)
        rounds = " ".join(f"{value:.0f}" for value in result.rss_rounds)
        print(
            f"{number:>4} {result.published:>12,.0f} {result.delivered:>12,.0f} {result.rss_before:>7.0f} "
            f"{result.rss_peak:>7.0f} {result.rss_after:>7.0f}  {rounds}"
        )
    best_published = max(result.published for result in results)
    best_delivered = max(result.delivered for result in results)
    print(f"best {best_published:>12,.0f} {best_delivered:>12,.0f}")


if __name__ == "__main__":
    main()
