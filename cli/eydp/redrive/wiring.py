"""What the commands work with, made from the settings and closed at the end."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from google.api_core import exceptions as google

from carts_consumer.quarantine import Quarantine
from dataplatform import clients
from dataplatform.clock import Clock, SystemClock
from dataplatform.errors import ConfigurationError
from dataplatform.lease import Lease
from dataplatform.rawzone import RawZone
from dataplatform.retry import Retrier, RetryPolicy, describe
from dataplatform.schemas import QUARANTINE
from dataplatform.settings import EmulatorSettings, PlatformSettings
from dataplatform.warehouse import Warehouse
from eydp.environment import Context
from eydp.redrive.deadletters import DeadLetters
from eydp.redrive.entries import Entries
from eydp.redrive.ledger import Ledger
from eydp.redrive.originals import Originals
from eydp.redrive.publisher import Publisher


@dataclass(frozen=True, slots=True)
class Tools:
    """The clients of one command under the platform's habits. Make it inside the running loop."""

    platform: PlatformSettings
    emulators: EmulatorSettings
    clock: Clock
    retrier: Retrier
    storage: Any
    warehouse: Warehouse
    zone: RawZone
    entries: Entries
    originals: Originals
    run_id: str

    def ledger(self) -> Ledger:
        """Return the ledger of this run."""
        return Ledger(self.warehouse, self.platform, self.clock, self.run_id)

    def lease(self, what: str, seconds: float) -> Lease:
        """Return the lease of this run; a renewal is tried no longer than the lease allows."""
        retrier = Retrier(RetryPolicy(deadline_seconds=seconds / 2), self.clock)
        timeout = min(self.platform.request_timeout_seconds, seconds / 3)
        zone = RawZone(self.storage, self.platform.bucket_name, retrier, timeout_seconds=timeout)
        return Lease(zone, lease_name(what), self.run_id, self.clock, seconds=seconds)

    @asynccontextmanager
    async def publisher(self) -> AsyncIterator[Publisher]:
        """Yield a publisher to the topic of the events."""
        client = clients.publisher_client(self.emulators)
        try:
            yield Publisher(
                client, self.platform.topic_path, self.retrier, timeout_seconds=self.platform.request_timeout_seconds
            )
        finally:
            await client.transport.close()

    @asynccontextmanager
    async def dead_letters(self, *, lease_seconds: int, wait_seconds: float) -> AsyncIterator[DeadLetters]:
        """Yield the dead letters; what is still held at the end is given back."""
        client = clients.subscriber_client(self.emulators)
        platform = self.platform
        letters = DeadLetters(
            client,
            f"projects/{platform.project}/subscriptions/{platform.dead_letter_subscription}",
            self.clock,
            self.retrier,
            lease_seconds=lease_seconds,
            wait_seconds=wait_seconds,
            timeout_seconds=platform.request_timeout_seconds,
        )
        try:
            async with letters.leased():
                yield letters
        finally:
            await client.transport.close()

    @asynccontextmanager
    async def quarantine(self) -> AsyncIterator[Quarantine]:
        """Yield what writes quarantine entries."""
        client = clients.write_client(self.emulators)
        table = self.platform.raw_table(QUARANTINE.name)
        try:
            yield Quarantine(
                self.zone, client, table, source="unknown", timeout_seconds=self.platform.request_timeout_seconds
            )
        finally:
            await client.transport.close()


def lease_name(what: str) -> str:
    """Return the name of the lease's object."""
    return f"_state/redrive/{what}.json"


def working_with[T](context: Context, work: Callable[[Tools], Awaitable[T]]) -> T:
    """Run `work` with the tools of a context.

    Raises:
        ConfigurationError: a table, topic, subscription or the bucket is not there.
    """
    try:
        return asyncio.run(_with_tools(context, work))
    except google.NotFound as error:
        raise ConfigurationError(f"something is missing, create it with `eydp provision`: {describe(error)}") from error


async def _with_tools[T](context: Context, work: Callable[[Tools], Awaitable[T]]) -> T:
    platform, emulators = context.platform, context.emulators
    clock = SystemClock()
    retrier = Retrier(RetryPolicy(deadline_seconds=platform.retry_deadline_seconds), clock)
    bigquery, storage = clients.bigquery_client(platform, emulators), clients.storage_client(platform, emulators)
    timeout = platform.request_timeout_seconds
    warehouse = Warehouse(bigquery, retrier, component="cli", timeout_seconds=timeout)
    zone = RawZone(storage, platform.bucket_name, retrier, timeout_seconds=timeout)
    entries = Entries(warehouse, platform)
    run_id = f"{clock.now():%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}"
    try:
        return await work(
            Tools(
                platform, emulators, clock, retrier, storage, warehouse, zone, entries, Originals(entries, zone), run_id
            )
        )
    finally:
        bigquery.close()
        storage.close()
