"""The stack seen from both sides: what a consumer reaches through the proxies, and what really happened."""

import asyncio
import gzip
import itertools
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from google.pubsub_v1 import types

import dbt_job
from dataplatform import clients
from dataplatform.envelope import read_lines
from dataplatform.settings import PREFIX, EmulatorSettings, PlatformSettings
from eydp.provision.run import provision
from localcloud.state import StackState
from support.events import event
from support.programs import own_names
from support.proxy_grpc import GrpcProxy
from support.proxy_http import HttpProxy
from support.pubsub import emulators

_STAGING = Path(dbt_job.__file__).parents[1] / "models" / "staging" / "stg_cart_events.sql"


async def eventually(condition: Callable[[], Awaitable[bool]], what: str, *, seconds: float = 60) -> float:
    """Return as soon as the condition holds, with the seconds that it took; fail after `seconds`."""
    began = time.monotonic()
    while not await condition():
        assert time.monotonic() - began < seconds, f"{what} did not happen within {seconds:.0f} s"
        await asyncio.sleep(0.1)
    return time.monotonic() - began


@dataclass(frozen=True, slots=True)
class Counts:
    """What the sinks hold of some events: rows and distinct ids in the raw table, rows in staging, ids archived."""

    rows: int
    ids: int
    staged: int
    archived: int

    @property
    def doubled(self) -> int:
        """How many rows of the raw table are too many."""
        return self.rows - self.ids


@dataclass
class World:
    """Cloud names of one test's own. `direct` reaches the emulators, `proxied` goes through the four proxies."""

    direct: dict[str, str]
    platform: PlatformSettings
    admin: str
    pubsub: GrpcProxy
    append: GrpcProxy
    storage: HttpProxy
    bigquery: HttpProxy
    bigquery_client: Any
    storage_client: Any
    publisher: Any
    published: list[dict[str, Any]] = field(default_factory=list)
    _publishing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def proxied(self) -> dict[str, str]:
        """The environment of a consumer whose every call goes through a proxy."""
        return {
            **self.direct,
            "PUBSUB_EMULATOR_HOST": self.pubsub.address,
            "BIGQUERY_STORAGE_EMULATOR_HOST": self.append.address,
            "STORAGE_EMULATOR_HOST": self.storage.address,
            "BIGQUERY_EMULATOR_HOST": self.bigquery.address,
        }

    def clear_faults(self) -> None:
        """Let everything pass again."""
        for proxy in (self.pubsub, self.append, self.storage, self.bigquery):
            proxy.faults.clear()

    async def publish(self, count: int, *, requests: int = 1) -> None:
        """Publish so many new events, each with a cart of its own, in so many requests."""
        first = len(self.published)
        events = [event(cart_id=i) for i in range(first, first + count)]
        size = -(-count // requests)
        for start in range(0, count, size):
            messages = [
                types.PubsubMessage(data=json.dumps(item).encode(), attributes={"source": "test"})
                for item in events[start : start + size]
            ]
            async with self._publishing:
                await self.publisher.publish(topic=self.platform.topic_path, messages=messages, retry=None, timeout=30)
                self.published += events[start : start + size]

    async def pause(self, publishing: "asyncio.Task[None]") -> None:
        """End a task that publishes, between two of its requests: one that is cut off may publish all the same."""
        async with self._publishing:
            publishing.cancel()
        with suppress(asyncio.CancelledError):
            await publishing

    async def publish_invalid(self, count: int) -> None:
        """Publish messages that can't become rows, each different."""
        messages = [types.PubsubMessage(data=b'{"not": %d}' % i) for i in range(count)]
        await self.publisher.publish(topic=self.platform.topic_path, messages=messages, retry=None, timeout=30)

    async def acked(self) -> int:
        """How many messages the subscription has seen acknowledged."""
        return int((await self._subscription())["acked"])

    async def expired(self) -> int:
        """How many leases ran out."""
        return int((await self._subscription())["leases_expired"])

    async def unacked(self) -> int:
        """How many messages are waiting or leased."""
        counts = await self._subscription()
        return int(counts["ready"]) + int(counts["leased"])

    async def _subscription(self) -> dict[str, int]:
        async with aiohttp.ClientSession() as session, session.get(f"{self.admin}/stats") as answer:
            found = await answer.json()
        counts: dict[str, int] = found["subscriptions"][self.platform.subscription_path]
        return counts

    async def all_acknowledged(self, *, seconds: float = 90) -> float:
        """Return when no message is left, with the seconds that it took."""

        async def none_left() -> bool:
            return await self.unacked() == 0

        return await eventually(none_left, "the acknowledgement of every message", seconds=seconds)

    async def query(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of a query in which {events} stands for the raw table."""
        text = sql.replace("{events}", f"`{self.platform.raw_table('carts_events')}`")
        found = await asyncio.to_thread(lambda: self.bigquery_client.query_and_wait(text, retry=None, wait_timeout=60))
        return [dict(row) for row in found]

    async def rows(self, first_cart: int = 0) -> tuple[int, int]:
        """Rows and distinct ids in the raw table, of the carts from `first_cart` on."""
        [found] = await self.query(
            f"select count(*) as n, count(distinct event_id) as ids from {{events}} where cart_id >= {first_cart}"  # noqa: S608 - a number of the test's own
        )
        return int(found["n"]), int(found["ids"])

    async def objects(self, first_cart: int = 0) -> set[str]:
        """The ids of the events in the raw zone, of the carts from `first_cart` on."""
        texts = await asyncio.to_thread(self._objects, "carts_events/")
        found = (json.loads(line.payload) for text in texts for line in read_lines(text))
        return {item["event_id"] for item in found if item["cart_id"] >= first_cart}

    async def quarantined(self) -> list[str]:
        """The quarantine id of each row of quarantine."""
        table = self.platform.raw_table("quarantine")
        return [row["quarantine_id"] for row in await self.query(f"select quarantine_id from `{table}`")]  # noqa: S608 - a name of the test's own

    async def quarantine_objects(self) -> int:
        """How many objects quarantine has."""
        return len(await asyncio.to_thread(self._objects, "quarantine/"))

    def _objects(self, prefix: str) -> list[bytes]:
        blobs = self.storage_client.list_blobs(self.platform.bucket_name, prefix=prefix)
        return [gzip.decompress(blob.download_as_bytes(raw_download=True)) for blob in blobs]

    async def counts(self) -> Counts:
        """Look at what the sinks hold of everything published, and that it is nothing else.

        Staging is asked with the model's own SQL.
        """
        expected = {item["event_id"] for item in self.published}
        rows, ids = await self.rows()
        staged = [row["event_id"] for row in await self.query(f"select event_id from ({_staging_sql()})")]  # noqa: S608 - the project's own model
        archived = await self.objects()
        assert set(staged) == expected, f"{len(expected - set(staged))} events are not in staging"
        assert archived >= expected, f"{len(expected - archived)} events are not in the raw zone"
        assert len(staged) == len(expected), "staging holds an event twice"
        return Counts(rows, ids, len(staged), len(archived))


def _staging_sql() -> str:
    """Return the staging model with the two expressions that dbt would fill in."""
    text = _STAGING.read_text(encoding="utf-8").replace("{{ source('raw', 'carts_events') }}", "{events}")
    return re.sub(r"\{\{ entity_key\('(\w+)', '(\w+)'\) \}\}", r"concat(\1, ':', cast(\2 as string))", text)


@asynccontextmanager
async def load(world: World, *, per_second: int, most_waiting: int = 1_000_000) -> AsyncIterator[None]:
    """Publish at a steady rate while the block runs, but pause while more than `most_waiting` events wait."""
    lots_per_second = 10

    async def go_on() -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        for lot in itertools.count():
            while lot % lots_per_second == 0 and await world.unacked() > most_waiting:
                await asyncio.sleep(0.1)
                due = loop.time()
            await world.publish(per_second // lots_per_second)
            due += 1 / lots_per_second
            await asyncio.sleep(max(0.0, due - loop.time()))

    publishing = asyncio.create_task(go_on())
    try:
        yield
    finally:
        await world.pause(publishing)


@asynccontextmanager
async def opened(stack: StackState, home: Path, consumer: Mapping[str, str]) -> AsyncIterator[World]:
    """Make names, resources, proxies and clients of one test's own; `consumer` are more settings of the consumers."""
    direct = {**own_names(stack.environment), "HOME": str(home), **consumer}
    fields = PlatformSettings.model_fields
    given = {name: direct[f"{PREFIX}{name.upper()}"] for name in fields if f"{PREFIX}{name.upper()}" in direct}
    platform = PlatformSettings.model_validate(given)
    at: EmulatorSettings = emulators(direct)
    await provision(platform, at, dry_run=False)
    async with AsyncExitStack() as held:
        publisher = clients.publisher_client(at)
        held.push_async_callback(publisher.transport.close)
        bigquery, storage = clients.bigquery_client(platform, at), clients.storage_client(platform, at)
        held.callback(bigquery.close)
        held.callback(storage.close)
        yield World(
            direct=direct,
            platform=platform,
            admin=stack.endpoints["pubsub_admin"],
            pubsub=await held.enter_async_context(GrpcProxy(at.pubsub_emulator_host)),
            append=await held.enter_async_context(GrpcProxy(at.bigquery_storage_emulator_host)),
            storage=await held.enter_async_context(HttpProxy(direct["STORAGE_EMULATOR_HOST"])),
            bigquery=await held.enter_async_context(HttpProxy(direct["BIGQUERY_EMULATOR_HOST"])),
            bigquery_client=bigquery,
            storage_client=storage,
            publisher=publisher,
        )


async def until_acked(world: World, count: int, *, seconds: float = 60) -> float:
    """Return as soon as `count` messages are acknowledged in all, with the seconds that it took."""

    async def enough() -> bool:
        return await world.acked() >= count

    return await eventually(enough, f"the acknowledgement of {count} messages", seconds=seconds)
