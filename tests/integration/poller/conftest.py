"""What the poller talks to: Cloud Storage and Pub/Sub once a session, a shop and a project of its own for each test."""

import asyncio
import json
import os
import signal
import sys
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from carts_poller.journal import decode_head
from carts_poller.state import State
from carts_poller.store import StateStore
from dataplatform import clients
from dataplatform.clock import SystemClock
from dataplatform.rawzone import RawZone
from dataplatform.retry import Retrier, RetryPolicy
from dataplatform.settings import EmulatorSettings, PlatformSettings
from localcloud.fakestore.client import FakeStoreAdmin
from localcloud.fakestore.options import Options
from localcloud.fakestore.server import serving
from support.emulators import Emulators
from support.emulators import emulators as running

WAIT_SECONDS = 30.0


@pytest.fixture(scope="session")
def emulators(
    tmp_path_factory: pytest.TempPathFactory, unused_tcp_port_factory: Callable[[], int]
) -> Iterator[Emulators]:
    with running(tmp_path_factory.mktemp("gcs"), unused_tcp_port_factory()) as addresses:
        yield addresses


@dataclass
class Finished:
    """A run of the program that has ended."""

    code: int
    logs: list[dict[str, Any]]
    errors: str

    @property
    def polled(self) -> int:
        """How many events the only poll published."""
        (events,) = [line["events"] for line in self.logs if line["message"] == "polled"]
        assert isinstance(events, int)
        return events


@dataclass
class World:
    """A project with topic, subscription and bucket, a shop, and the poller as a program between them."""

    emulators: Emulators
    platform: PlatformSettings
    shop: FakeStoreAdmin
    session: aiohttp.ClientSession
    storage: Any
    publisher: Any
    subscriber: Any
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def zone(self) -> RawZone:
        retrier = Retrier(RetryPolicy(WAIT_SECONDS), SystemClock())
        return RawZone(self.storage, self.platform.bucket_name, retrier, timeout_seconds=10)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("EYDP_")},
            **self.emulators.variables,
            "EYDP_PROJECT": self.platform.project,
            "EYDP_LOG_FORMAT": "json",
            "EYDP_METRICS_PORT": "0",
            "EYDP_SOURCE_URL": self.shop.base_url,
            "EYDP_SOURCE_RETRY_DEADLINE_SECONDS": "1",
            "EYDP_RETRY_DEADLINE_SECONDS": "20",
            "EYDP_POLLER_INTERVAL_SECONDS": "0.2",
            "EYDP_POLLER_LEASE_SECONDS": "2",
            **self.extra,
        }

    async def provision(self) -> None:
        await self.create_topic()
        await self.publisher.create_topic(request={"name": self.platform.push_topic_path})
        await self.subscriber.create_subscription(
            request={
                "name": self.platform.push_subscription_path,
                "topic": self.platform.push_topic_path,
                "enable_message_ordering": True,
                "ack_deadline_seconds": 10,
            }
        )
        await asyncio.to_thread(self.storage.create_bucket, self.platform.bucket_name)

    async def create_topic(self, *, ordered: bool = False) -> None:
        await self.publisher.create_topic(request={"name": self.platform.topic_path})
        await self.subscriber.create_subscription(
            request={
                "name": self.platform.subscription_path,
                "topic": self.platform.topic_path,
                "enable_message_ordering": ordered,
            }
        )

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "carts_poller",
            *arguments,
            env=self.environment,
            cwd=str(Path(__file__).parent),  # where no .env file is
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def poll_once(self, *options: str) -> Finished:
        return await finished(await self.start("--once", *options))

    async def messages(self, count: int) -> list[Any]:
        """Pull and acknowledge so many messages, and see that there are no more."""
        got: list[Any] = []
        async with asyncio.timeout(WAIT_SECONDS):
            while len(got) < count:
                got += await self._pull()
        got += await self._pull(wait=False)
        assert len(got) == count
        return got

    async def _pull(self, *, wait: bool = True) -> list[Any]:
        request = {
            "subscription": self.platform.subscription_path,
            "max_messages": 1000,
            "return_immediately": not wait,
        }
        with warnings.catch_warnings():
            # Deprecated for programs, as it is a poll; here a poll is what is wanted.
            warnings.simplefilter("ignore", DeprecationWarning)
            answer = await self.subscriber.pull(request=request, timeout=WAIT_SECONDS)
        ids = [received.ack_id for received in answer.received_messages]
        if ids:
            await self.subscriber.acknowledge(
                request={"subscription": self.platform.subscription_path, "ack_ids": ids}, timeout=10
            )
        return [received.message for received in answer.received_messages]

    async def events(self, count: int) -> list[dict[str, Any]]:
        """Return the bodies of so many messages, and see that there are no more."""
        return [json.loads(message.data) for message in await self.messages(count)]

    async def state(self) -> State | None:
        """Return the state in the bucket as another process would read it, None when there is none."""
        store = StateStore(self.zone, "fakestore", SystemClock(), holder="test", lease_seconds=0)
        found = await self.zone.read(store.head)
        return await store.read(decode_head(found.data, "fakestore")) if found else None

    async def pending(self) -> list[str]:
        """Return the ids of the events that are saved and not confirmed."""
        state = await self.state()
        return [event.event_id for segment in state.pending for event in segment.events] if state else []

    async def reject_publishing(self) -> None:
        await self._faults({"reject": {"method": "Publish", "code": "UNAVAILABLE"}})

    async def accept_publishing(self) -> None:
        await self._faults({"reject": None})

    async def _faults(self, faults: Mapping[str, Any]) -> None:
        async with self.session.post(f"http://{self.emulators.pubsub_admin}/faults", json=faults) as response:
            assert response.ok


async def finished(process: asyncio.subprocess.Process) -> Finished:
    async with asyncio.timeout(WAIT_SECONDS):
        out, errors = await process.communicate()
    assert process.returncode is not None
    return Finished(process.returncode, [json.loads(line) for line in out.splitlines()], errors.decode())


async def terminated(process: asyncio.subprocess.Process) -> Finished:
    process.send_signal(signal.SIGTERM)
    return await finished(process)


async def until(condition: Callable[[], Awaitable[Any]]) -> None:
    """Return as soon as the condition holds; fail when it does not in time."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not await condition():  # noqa: ASYNC110 - what it waits for happens in other programs
            await asyncio.sleep(0.02)


async def logged(process: asyncio.subprocess.Process, message: str) -> dict[str, Any]:
    """Read the program's logs up to the first line with this message."""
    assert process.stdout is not None
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            text = await process.stdout.readline()
            assert text, "the program ended"
            line: dict[str, Any] = json.loads(text)
            if line["message"] == message:
                return line


@pytest.fixture
async def bare_world(emulators: Emulators) -> AsyncIterator[World]:
    """A world in which nothing is provisioned."""
    platform = PlatformSettings(project=f"p{uuid4().hex[:12]}")
    at = EmulatorSettings(
        pubsub_emulator_host=emulators.pubsub, storage_emulator_host=emulators.variables["STORAGE_EMULATOR_HOST"]
    )
    async with AsyncExitStack() as opened:
        session = await opened.enter_async_context(aiohttp.ClientSession())
        address = await opened.enter_async_context(serving(Options(), SystemClock()))
        publisher, subscriber = clients.publisher_client(at), clients.subscriber_client(at)
        opened.push_async_callback(publisher.transport.close)
        opened.push_async_callback(subscriber.transport.close)
        storage = clients.storage_client(platform, at)
        opened.callback(storage.close)
        world = World(
            emulators, platform, FakeStoreAdmin(f"http://{address}", session), session, storage, publisher, subscriber
        )
        opened.push_async_callback(world.accept_publishing)
        yield world


@pytest.fixture
async def world(bare_world: World) -> World:
    await bare_world.provision()
    return bare_world
