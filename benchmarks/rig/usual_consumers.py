"""What people usually write, for comparison: `usual_consumers.py raw|subscribe|batching|plain SUBSCRIPTION COUNT`.

Prints one line of JSON: events, seconds and CPU seconds from the first message on, peak memory.
"""

import asyncio
import json
import os
import queue
import resource
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Any

_BATCH = 500


class Meter:
    """Counts messages; the clock starts at the first."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._seen = 0
        self._lock = threading.Lock()
        self._started = (0.0, 0.0)
        self.done = threading.Event()

    def add(self, messages: int) -> None:
        """Count messages that are finished."""
        with self._lock:
            if not self._seen:
                self._started = (time.monotonic(), time.process_time())
            self._seen += messages
            if self._seen >= self._count:
                self.done.set()

    def report(self) -> None:
        """Print the figures."""
        figures = {
            "events": self._seen,
            "seconds": time.monotonic() - self._started[0],
            "cpu_seconds": time.process_time() - self._started[1],
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        print(json.dumps(figures), flush=True)


async def raw(subscription: str, count: int) -> Meter:
    """Pull with the raw client and acknowledge: the ceiling."""
    from google.pubsub_v1 import types

    from dataplatform import clients, settings

    client = clients.subscriber_client(settings.load(settings.EmulatorSettings))
    meter = Meter(count)

    async def requests() -> AsyncIterator[Any]:
        yield types.StreamingPullRequest(
            subscription=subscription, stream_ack_deadline_seconds=60, max_outstanding_messages=20_000
        )
        await asyncio.Event().wait()

    acknowledging: set[asyncio.Future[Any]] = set()
    call = await client.streaming_pull(requests=requests(), retry=None, timeout=None)
    async for response in call:
        ids = [message.ack_id for message in types.StreamingPullResponse.pb(response).received_messages]
        request = types.AcknowledgeRequest.wrap(types.AcknowledgeRequest.pb()(subscription=subscription, ack_ids=ids))
        task = asyncio.ensure_future(client.acknowledge(request=request, retry=None, timeout=10))
        acknowledging.add(task)
        task.add_done_callback(acknowledging.discard)
        meter.add(len(ids))
        if meter.done.is_set():
            break
    await asyncio.gather(*acknowledging)
    return meter


def subscribe(subscription: str, count: int, mode: str) -> Meter:
    """The callback client: it only acknowledges, or inserts each message (`plain`) or 500 at once (`batching`)."""
    from google.cloud import pubsub_v1

    meter = Meter(count)
    handle = _handlers(meter, mode)
    client = pubsub_v1.SubscriberClient()
    flow = pubsub_v1.types.FlowControl(max_messages=20_000, max_bytes=200 << 20)
    pulling = client.subscribe(subscription, handle, flow_control=flow)
    meter.done.wait(600)
    pulling.cancel()
    return meter


def _handlers(meter: Meter, mode: str) -> Callable[[Any], None]:
    def finish(messages: Sequence[Any]) -> None:
        for message in messages:
            message.ack()
        meter.add(len(messages))

    if mode == "subscribe":
        return lambda message: finish([message])

    from dataplatform import clients, settings
    from dataplatform.models import CART_EVENT

    client = clients.bigquery_client(settings.load(settings.PlatformSettings), settings.load(settings.EmulatorSettings))

    def insert(messages: Sequence[Any]) -> None:
        rows = []
        for message in messages:
            event = CART_EVENT.validate_json(message.data)
            rows.append({"event_id": event["event_id"], "cart_id": event["cart_id"], "payload": message.data.decode()})
        client.insert_rows_json("bench.bq_raw.carts_events", rows)
        finish(messages)

    if mode == "plain":
        return lambda message: insert([message])

    waiting: queue.Queue[Any] = queue.Queue()

    def work() -> None:
        while True:
            batch = [waiting.get()]
            with suppress(queue.Empty):
                while len(batch) < _BATCH:
                    batch.append(waiting.get(timeout=0.2))
            insert(batch)

    threading.Thread(target=work, daemon=True).start()
    return waiting.put


def main() -> None:
    """Run one mode and leave at once: what the clients do at their end is not measured."""
    mode, subscription, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    meter = asyncio.run(raw(subscription, count)) if mode == "raw" else subscribe(subscription, count, mode)
    meter.report()
    os._exit(0)


if __name__ == "__main__":
    main()
