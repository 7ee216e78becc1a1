"""A push service without sockets and without Pub/Sub, and requests to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from carts_poller.push.group import Bounds, Group
from carts_poller.push.keys import Keyring
from carts_poller.push.service import Incoming, Kind, Service
from carts_poller.push.settings import PushSettings
from carts_poller.push.signature import Claim, claim, sign
from carts_poller.pushed import Pushed
from dataplatform.errors import UnavailableError
from dataplatform.metrics import PushMetrics
from support.clock import FakeClock

KEY = b"0123456789abcdef0123456789abcdef"
OTHER_KEY = b"fedcba9876543210fedcba9876543210"
BOUNDS = Bounds(linger_seconds=0.003, batch_messages=1000, batch_bytes=4 << 20, in_flight=8)


def cart(number: int, **changes: Any) -> dict[str, Any]:
    """A cart of the shop."""
    return {
        "id": number,
        "userId": 3,
        "date": "2020-03-01T00:00:00.000Z",
        "products": [{"productId": 7, "quantity": 1}],
        "__v": 0,
        **changes,
    }


def text(number: int, **changes: Any) -> bytes:
    return json.dumps(cart(number, **changes)).encode()


def pushed(number: int, at: int = 1) -> Pushed:
    return Pushed("shop", number, "{}", at, None)


@dataclass
class Topic:
    """Pub/Sub: notes what is published, and is down or slow when told to."""

    published: list[list[Pushed]] = field(default_factory=list)
    down: bool = False
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.open.set()

    async def send(self, records: Sequence[Pushed]) -> None:
        if self.down:
            raise UnavailableError("publishing failed 3 times")
        self.published.append(list(records))
        await self.open.wait()
        if self.down:
            raise UnavailableError("publishing failed 3 times")

    @property
    def records(self) -> list[Pushed]:
        return [record for records in self.published for record in records]


@dataclass
class Shop:
    """The service, and a client of it that signs."""

    service: Service
    topic: Topic
    clock: FakeClock
    settings: PushSettings
    keyring: Keyring
    metrics: PushMetrics

    def claim(self, body: bytes, *, key: bytes = KEY, at: int | None = None) -> Claim:
        moment = int(self.clock.now().timestamp()) if at is None else at
        made = claim(str(moment), sign(key, moment, body))
        assert made
        return made

    async def push(
        self, body: bytes, idempotency_key: str | None = None, *, kind: Kind = "json", signed: Claim | None = None
    ) -> int:
        return await self.service.accept(Incoming(kind, signed or self.claim(body), idempotency_key, body))


@asynccontextmanager
async def running(folder: Path, **changes: Any) -> AsyncIterator[Shop]:
    """A service with one key whose group is at work."""
    (folder / "keys").mkdir()
    (folder / "keys" / "first").write_bytes(KEY)
    settings = PushSettings(keys_dir=str(folder / "keys"), **changes)
    clock, topic = FakeClock(), Topic()
    keyring, metrics = Keyring(settings.keys_dir), PushMetrics(CollectorRegistry())
    group = Group(topic.send, BOUNDS, clock)
    service = Service("shop", keyring, group, settings, clock, metrics)
    working = asyncio.create_task(group.run())
    try:
        yield Shop(service, topic, clock, settings, keyring, metrics)
    finally:
        working.cancel()
        await asyncio.wait({working})


async def turns(count: int = 20) -> None:
    """Let everything that can go on go on."""
    for _ in range(count):
        await asyncio.sleep(0)
