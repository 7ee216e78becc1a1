"""The whole emulator in one object: the broker, its clockwork, and its three servers."""

import asyncio
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Self

import grpc
from aiohttp import web

from dataplatform.clock import Clock
from localcloud.pubsub.admin import Admin
from localcloud.pubsub.broker import Broker
from localcloud.pubsub.faults import Faults
from localcloud.pubsub.memory import Housekeeping
from localcloud.pubsub.rest import RestGateway
from localcloud.pubsub.rpcs import table
from localcloud.pubsub.server import GrpcServer
from localcloud.pubsub.streaming import StreamingPull

TICK_SECONDS = 0.05
"""How late a lease may expire or a backoff end."""
HOUSEKEEPING_TICKS = 20


@dataclass(frozen=True, slots=True)
class Ports:
    """Where to listen: 0 lets the system choose, None leaves the server out."""

    grpc: int = 0
    rest: int | None = None
    admin: int | None = None


@dataclass(slots=True)
class Emulator:
    """Runs between `async with` and its end; `ports` then holds the ports in use.

    Raises:
        OSError: on entering, when a port can't be bound.
    """

    clock: Clock
    host: str = "127.0.0.1"
    ports: Ports = field(default_factory=Ports)
    grace_seconds: float = 0.5
    _server: GrpcServer = field(init=False)
    _runners: list[web.AppRunner] = field(init=False, default_factory=list)
    _ticking: asyncio.Task[None] = field(init=False)

    async def __aenter__(self) -> Self:
        broker = Broker(self.clock)
        faults = Faults(self.clock)
        rpcs = table(broker, faults)
        rest = await self._serve(RestGateway(rpcs).application(), self.ports.rest)
        admin = await self._serve(Admin(broker, faults).application(), self.ports.admin)
        self._server = GrpcServer(rpcs, StreamingPull(broker, faults, self.clock, grpc.aio.EOF))
        try:
            port = await self._server.start(self.host, self.ports.grpc)
        except OSError:
            await self._stop_http()
            raise
        self.ports = Ports(port, rest, admin)
        self._ticking = asyncio.create_task(self._tick(broker))
        return self

    async def _tick(self, broker: Broker) -> None:
        housekeeping = Housekeeping(broker)
        for number in count():
            await self.clock.sleep(TICK_SECONDS)
            broker.tick()
            if number % HOUSEKEEPING_TICKS == 0:
                housekeeping.tick()

    async def _serve(self, app: web.Application, port: int | None) -> int | None:
        if port is None:
            return None
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, self.host, port, reuse_address=True)
        try:
            await site.start()
        except OSError:
            await self._stop_http()
            raise
        return int(runner.addresses[0][1])

    async def _stop_http(self) -> None:
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ticking.cancel()
        await self._server.stop(self.grace_seconds)
        await self._stop_http()
