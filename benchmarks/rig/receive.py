"""What `benchmarks/batch.py` measures: one run of the batch loader up to the bucket, then its load apart.

    python benchmarks/rig/receive.py RECORDS [--load]

Takes its addresses from the environment, as the loader does, and writes one line of JSON.
"""

import asyncio
import json
import resource
import sys
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from dataplatform.frames import leave_out_frames

leave_out_frames()  # as the loader's own first line

import aiohttp  # noqa: E402 - after the line above
from prometheus_client import CollectorRegistry  # noqa: E402 - likewise

from batch_ingest.entities import ENTITIES  # noqa: E402 - likewise
from batch_ingest.load import Loader  # noqa: E402 - likewise
from batch_ingest.run import Batch  # noqa: E402 - likewise
from batch_ingest.settings import BatchSettings  # noqa: E402 - likewise
from batch_ingest.tuning import tune  # noqa: E402 - likewise
from dataplatform import clients, settings  # noqa: E402 - likewise
from dataplatform.clock import SystemClock  # noqa: E402 - likewise
from dataplatform.metrics import BatchMetrics  # noqa: E402 - likewise
from dataplatform.rawzone import RawZone  # noqa: E402 - likewise
from dataplatform.retry import Retrier, RetryPolicy  # noqa: E402 - likewise
from dataplatform.source import SourceClient  # noqa: E402 - likewise
from dataplatform.warehouse import Warehouse  # noqa: E402 - likewise


async def measure(records: int, *, load: bool) -> dict[str, Any]:
    """Receive all products once; load them afterwards when asked to."""
    platform = settings.load(settings.PlatformSettings)
    emulators = settings.load(settings.EmulatorSettings)
    shop = settings.load(settings.SourceSettings)
    clock = SystemClock()
    retrier = Retrier(RetryPolicy(600), clock)
    async with AsyncExitStack() as opened:
        session = await opened.enter_async_context(aiohttp.ClientSession())
        storage = clients.storage_client(platform, emulators)
        opened.callback(storage.close)
        bigquery = clients.bigquery_client(platform, emulators)
        opened.callback(bigquery.close)
        warehouse = Warehouse(bigquery, retrier, component="batch", timeout_seconds=600, job_timeout_seconds=3600)
        batch = Batch(
            source=SourceClient(session, shop, retrier),
            source_name=shop.name,
            zone=RawZone(storage, platform.bucket_name, retrier, timeout_seconds=60),
            loader=Loader(warehouse, platform),
            settings=settings.load(BatchSettings),
            clock=clock,
            metrics=BatchMetrics(CollectorRegistry()),
        )
        tune()
        entity, day = ENTITIES["products"], datetime.now(UTC).date()
        cpu, began = time.process_time(), time.monotonic()
        received = await batch.receive(entity, day)
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        if received.findings.valid != records:
            raise SystemExit(f"{received.findings.valid} records were received of {records}")
        began = time.monotonic()
        if load:
            await batch.reload(entity, day)
        return {
            "records": records,
            "seconds": seconds,
            "cpu_seconds": cpu,
            "peak_mib": peak,
            "megabytes": received.bytes / 1e6,
            "parts": len(received.parts),
            "load_seconds": time.monotonic() - began if load else None,
        }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(measure(int(sys.argv[1]), load="--load" in sys.argv))) + "\n")
