"""What people usually write, for comparison: `usual_consumers.py raw|subscribe|plain SUBSCRIPTION COUNT`.

Prints one line of JSON: events, seconds and CPU seconds from the first message on, peak memory.
"""

import asyncio
import json
import os
import resource
import sys
import threading
import time
from collections.abc import AsyncIterator
from typing import Any


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


def subscribe(subscription: str, count: int, *, plain: bool) -> Meter:
    """The callback client; with `plain`, each message is validated and inserted as a row of its own."""
    from google.cloud import pubsub_v1

    from dataplatform import clients, settings
    from dataplatform.models import CART_EVENT

    meter = Meter(count)
    table = "bench.bq_raw.carts_events"
    bigquery = (
        clients.bigquery_client(settings.load(settings.PlatformSettings), settings.load(settings.EmulatorSettings))
        if plain
        else None
    )

    def callback(message: Any) -> None:
        if bigquery is not None:
            event = CART_EVENT.validate_json(message.data)
            row = {"event_id": event["event_id"], "cart_id": event["cart_id"], "payload": message.data.decode()}
            bigquery.insert_rows_json(table, [row])
        message.ack()
        meter.add(1)

    client = pubsub_v1.SubscriberClient()
    pulling = client.subscribe(
        subscription, callback, flow_control=pubsub_v1.types.FlowControl(max_messages=20_000, max_bytes=200 << 20)
    )
    meter.done.wait(600)
    pulling.cancel()
    return meter


def main() -> None:
    """Run one mode and leave at once: what the clients do at their end is not measured."""
    mode, subscription, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    meter = (
        asyncio.run(raw(subscription, count))
        if mode == "raw"
        else subscribe(subscription, count, plain=mode == "plain")
    )
    meter.report()
    os._exit(0)


if __name__ == "__main__":
    main()
