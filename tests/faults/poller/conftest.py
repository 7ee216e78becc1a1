"""Pub/Sub and Cloud Storage once a session, behind proxies; a shop with a witness and a project for each test."""

import asyncio
import gzip
import os
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from carts_poller.journal import decode_head
from dataplatform import clients
from dataplatform.clock import SystemClock
from dataplatform.rawzone import RawZone
from dataplatform.retry import Retrier, RetryPolicy
from dataplatform.settings import EmulatorSettings, PlatformSettings
from localcloud.fakestore.client import FakeStoreAdmin
from localcloud.fakestore.options import Options
from localcloud.fakestore.server import serving
from support.emulators import Emulators, emulators
from support.poller_process import WAIT_SECONDS, PollerProcess
from support.poller_truth import Push, Rule, findings
from support.poller_witness import Witness
from support.proxy_grpc import GrpcProxy
from support.proxy_http import HttpProxy

HEAD = "_state/poller/fakestore/head.json"


@pytest.fixture(scope="session")
def addresses(
    tmp_path_factory: pytest.TempPathFactory, unused_tcp_port_factory: Callable[[], int]
) -> Iterator[Emulators]:
    with emulators(tmp_path_factory.mktemp("gcs"), unused_tcp_port_factory()) as running:
        yield running


@dataclass
class Campaign:
    """A project, a shop that is watched, and what was told; pollers reach all of it through proxies."""

    platform: PlatformSettings
    addresses: Emulators
    shop: FakeStoreAdmin
    session: aiohttp.ClientSession
    witness: Witness
    storage: HttpProxy
    pubsub: GrpcProxy
    storage_client: Any
    publisher: Any
    subscriber: Any
    extra: dict[str, str] = field(default_factory=dict)
    messages: list[bytes] = field(default_factory=list)
    saved: list[bytes] = field(default_factory=list)
    pushes: list[Push] = field(default_factory=list)

    @property
    def zone(self) -> RawZone:
        retrier = Retrier(RetryPolicy(WAIT_SECONDS), SystemClock())
        return RawZone(self.storage_client, self.platform.bucket_name, retrier, timeout_seconds=10)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("EYDP_")},
            "PUBSUB_EMULATOR_HOST": self.pubsub.address,
            "STORAGE_EMULATOR_HOST": self.storage.address,
            "EYDP_PROJECT": self.platform.project,
            "EYDP_LOG_FORMAT": "json",
            "EYDP_METRICS_PORT": "0",
            "EYDP_SOURCE_URL": self.witness.address,
            "EYDP_SOURCE_RETRY_DEADLINE_SECONDS": "1",
            "EYDP_RETRY_DEADLINE_SECONDS": "20",
            "EYDP_POLLER_INTERVAL_SECONDS": "0.1",
            "EYDP_POLLER_LEASE_SECONDS": "2",
            **self.extra,
        }

    def poller(self, name: str, *arguments: str, segments: int | None = None, direct: bool = False) -> PollerProcess:
        """A process; `direct` leads it past the proxies of Google's services."""
        environment = self.environment
        if direct:
            environment["PUBSUB_EMULATOR_HOST"] = self.addresses.pubsub
            environment["STORAGE_EMULATOR_HOST"] = f"http://{self.addresses.storage}"
        return PollerProcess(environment, name, *arguments, segments=segments)

    async def once(self, name: str, *arguments: str) -> PollerProcess:
        """Let a process poll once, after the lease of a dead one, and take account of it."""
        async with self.poller(name, "--once", *arguments) as process:
            assert await process.ended() == 0, process.errors
        self.account(process)
        return process

    def account(self, process: PollerProcess) -> None:
        """Note which answers a process was done with."""
        for line in process.polled():
            self.witness.ended_well(process.name, line)

    def clear_faults(self) -> None:
        self.storage.faults.clear()
        self.pubsub.faults.clear()

    async def look(self, *, journal: bool = True) -> tuple[int, int]:
        """Keep what is told and what is in the journal; return how many distinct events each has had so far."""
        for name in await self.zone.names("_state/poller/") if journal else ():
            found = await self.zone.read(name) if "/log/" in name else None
            if found:
                self.saved += [line.split(b" ", 2)[2] for line in gzip.decompress(found.data).split(b"\n")[1:]]
        while some := await self._pull():
            self.messages += some
        return len(set(self.saved)), len(set(self.messages))

    async def _pull(self) -> list[bytes]:
        name = self.platform.subscription_path
        with warnings.catch_warnings():
            # Deprecated for programs, as it is a poll; here a poll is what is wanted.
            warnings.simplefilter("ignore", DeprecationWarning)
            answer = await self.subscriber.pull(
                request={"subscription": name, "max_messages": 1000, "return_immediately": True}, timeout=WAIT_SECONDS
            )
        ids = [received.ack_id for received in answer.received_messages]
        if ids:
            await self.subscriber.acknowledge(request={"subscription": name, "ack_ids": ids}, timeout=10)
        return [received.message.data for received in answer.received_messages]

    async def pushes_left(self) -> int:
        """How many pushed carts wait, or are being taken in."""
        async with self.session.get(f"http://{self.addresses.pubsub_admin}/stats") as answer:
            counts = (await answer.json())["subscriptions"][self.platform.push_subscription_path]
        return int(counts["ready"]) + int(counts["leased"])

    async def holder(self) -> str:
        found = await self.zone.read(HEAD)
        return decode_head(found.data, "fakestore").holder if found else ""

    async def check(self, what: str, rule: Rule | None = None) -> None:
        """Let the judge compare everything that was told with everything that was shown."""
        saved, told = await self.look()
        found = findings(self.witness.answers, self.pushes, self.messages, saved=self.saved, rule=rule)
        done = sum(one.done_at is not None for one in self.witness.answers)
        print(  # noqa: T201 - the numbers of a campaign
            f"{what}: {len(self.witness.answers)} answers, {done} polls done, {len(self.pushes)} pushes, "
            f"{saved} saved, {told} events told in {len(self.messages)} messages"
        )
        assert not found, "\n".join(found)
        assert told


@pytest.fixture
async def campaign(addresses: Emulators) -> AsyncIterator[Campaign]:
    platform = PlatformSettings(project=f"p{uuid4().hex[:12]}")
    at = EmulatorSettings(pubsub_emulator_host=addresses.pubsub, storage_emulator_host=f"http://{addresses.storage}")
    async with AsyncExitStack() as opened:
        session = await opened.enter_async_context(aiohttp.ClientSession())
        shop = f"http://{await opened.enter_async_context(serving(Options(), SystemClock()))}"
        publisher, subscriber = clients.publisher_client(at), clients.subscriber_client(at)
        opened.push_async_callback(publisher.transport.close)
        opened.push_async_callback(subscriber.transport.close)
        storage = clients.storage_client(platform, at)
        opened.callback(storage.close)
        for topic, subscription in (
            (platform.topic_path, platform.subscription_path),
            (platform.push_topic_path, platform.push_subscription_path),
        ):
            await publisher.create_topic(request={"name": topic})
            request = {"name": subscription, "topic": topic, "ack_deadline_seconds": 10}
            request["enable_message_ordering"] = topic == platform.push_topic_path
            await subscriber.create_subscription(request=request)
        await asyncio.to_thread(storage.create_bucket, platform.bucket_name)
        yield Campaign(
            platform,
            addresses,
            FakeStoreAdmin(shop, session),
            session,
            await opened.enter_async_context(Witness(shop)),
            await opened.enter_async_context(HttpProxy(f"http://{addresses.storage}")),
            await opened.enter_async_context(GrpcProxy(addresses.pubsub)),
            storage,
            publisher,
            subscriber,
        )
