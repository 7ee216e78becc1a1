"""A bucket, a dataset and a shop of its own for each test, on the stack that all share."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from google.cloud import bigquery
from prometheus_client import CollectorRegistry

from batch_ingest.entities import ENTITIES
from batch_ingest.load import Loader
from batch_ingest.report import Report
from batch_ingest.run import Batch
from batch_ingest.settings import BatchSettings
from dataplatform import clients, schemas
from dataplatform.clock import SystemClock
from dataplatform.metrics import BatchMetrics
from dataplatform.rawzone import RawZone
from dataplatform.retry import Retrier, RetryPolicy
from dataplatform.settings import EmulatorSettings, PlatformSettings, SourceSettings
from dataplatform.source import SourceClient
from dataplatform.warehouse import Warehouse
from localcloud.fakestore.client import FakeStoreAdmin
from localcloud.fakestore.options import Options
from localcloud.fakestore.server import serving

WAIT_SECONDS = 60.0
DAY = date(2026, 11, 24)


@dataclass
class Finished:
    """A run of the program that has ended."""

    code: int
    out: str
    errors: str

    @property
    def logs(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class World:
    """A project's bucket and raw dataset, a shop, and the loader between them, in process or as a program."""

    stack_env: Mapping[str, str]
    platform: PlatformSettings
    shop: FakeStoreAdmin
    session: aiohttp.ClientSession
    storage: Any
    bigquery: Any
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def zone(self) -> RawZone:
        return RawZone(self.storage, self.platform.bucket_name, self.retrier(), timeout_seconds=10)

    def retrier(self, deadline_seconds: float = 20) -> Retrier:
        return Retrier(RetryPolicy(deadline_seconds), SystemClock())

    def warehouse(self, client: Any = None, deadline_seconds: float = 20) -> Warehouse:
        return Warehouse(client or self.bigquery, self.retrier(deadline_seconds), component="batch", timeout_seconds=10)

    def batch(self, *, warehouse: Warehouse | None = None, allowed: Sequence[str] = (), **settings: Any) -> Batch:
        shop = SourceSettings(url=self.shop.base_url)
        return Batch(
            source=SourceClient(self.session, shop, self.retrier(0.5)),
            source_name=shop.name,
            zone=self.zone,
            loader=Loader(warehouse or self.warehouse(), self.platform),
            settings=BatchSettings(**settings),
            clock=SystemClock(),
            metrics=BatchMetrics(CollectorRegistry()),
            allowed=allowed,
        )

    async def load(self, entity: str, day: date = DAY, **settings: Any) -> Report:
        return await self.batch(**settings).run(ENTITIES[entity], day)

    async def program(self, *arguments: str) -> Finished:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "batch_ingest",
            *arguments,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(WAIT_SECONDS):
            out, errors = await process.communicate()
        assert process.returncode is not None
        return Finished(process.returncode, out.decode(), errors.decode())

    @property
    def environment(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("EYDP_")},
            **self.stack_env,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "EYDP_BUCKET": self.platform.bucket_name,
            "EYDP_DATASET_RAW": self.platform.dataset_raw,
            "EYDP_LOG_FORMAT": "json",
            "EYDP_SOURCE_URL": self.shop.base_url,
            "EYDP_SOURCE_RETRY_DEADLINE_SECONDS": "1",
            "EYDP_RETRY_DEADLINE_SECONDS": "20",
            **self.extra,
        }

    async def create_bucket(self) -> None:
        await asyncio.to_thread(self.storage.create_bucket, self.platform.bucket_name)

    async def create_tables(self) -> None:
        def create() -> None:
            self.bigquery.create_dataset(self.platform.dataset_raw)
            for table in (*schemas.RAW_TABLES, *schemas.WORK_TABLES):
                fields = [bigquery.SchemaField.from_api_repr(each) for each in schemas.api_fields(table.columns)]
                made = bigquery.Table(self.platform.raw_table(table.name), schema=fields)
                if table.partition_by:
                    made.time_partitioning = bigquery.TimePartitioning(field=table.partition_by)
                made.clustering_fields = list(table.cluster_by)
                self.bigquery.create_table(made)

        await asyncio.to_thread(create)

    async def rows(self, table: str, order: str = "1") -> list[dict[str, Any]]:
        sql = f"SELECT * FROM `{self.platform.raw_table(table)}` ORDER BY {order}"  # noqa: S608 - a test's own names
        return await self.warehouse().query(sql)

    async def current(self, table: str) -> list[dict[str, Any]]:
        """Return the rows of the records that the source still has."""
        return [row for row in await self.rows(table) if not row["_deleted"]]

    async def objects(self) -> list[str]:
        """Return the names of what is kept for ever, and of what says what it is."""
        states = ("/lease.json", "/table.json")
        return [name for name in await self.zone.names("") if not name.endswith(states)]


@pytest.fixture
async def bare_world(stack_env: dict[str, str]) -> AsyncIterator[World]:
    """A world in which nothing is provisioned."""
    name = uuid4().hex[:12]
    platform = PlatformSettings(project=stack_env["EYDP_PROJECT"], bucket=f"batch-{name}", dataset_raw=f"batch_{name}")
    at = EmulatorSettings(
        storage_emulator_host=stack_env["STORAGE_EMULATOR_HOST"],
        bigquery_emulator_host=stack_env["BIGQUERY_EMULATOR_HOST"],
    )
    async with AsyncExitStack() as opened:
        session = await opened.enter_async_context(aiohttp.ClientSession())
        address = await opened.enter_async_context(serving(Options(), SystemClock()))
        storage, warehouse = clients.storage_client(platform, at), clients.bigquery_client(platform, at)
        opened.callback(storage.close)
        opened.callback(warehouse.close)
        yield World(stack_env, platform, FakeStoreAdmin(f"http://{address}", session), session, storage, warehouse)
        await asyncio.to_thread(warehouse.delete_dataset, platform.dataset_raw, delete_contents=True, not_found_ok=True)


@pytest.fixture
async def world(bare_world: World) -> World:
    await bare_world.create_bucket()
    await bare_world.create_tables()
    return bare_world
