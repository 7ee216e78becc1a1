"""Outages: what is wrong with the world of a consumer for a while."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

from support.proxy import Fault, Hold
from support.proxy_dns import NameServer
from support.proxy_tcp import TcpProxy

from .world import World


class Outage(Protocol):
    """Opened before the consumer starts, begun and ended while it runs."""

    settings: Mapping[str, str]

    async def open(self, world: World, held: AsyncExitStack) -> dict[str, str]:
        """Return the environment of the consumer; what must be closed goes to `held`."""
        ...

    def begin(self) -> None:
        """From now on it is wrong."""
        ...

    async def end(self) -> None:
        """All is well again."""
        ...

    @property
    def met(self) -> int:
        """How often the consumer met it."""
        ...


@dataclass
class Faulty:
    """Faults of the four proxies. Calls that are held at the end go on, or stay in the dark for ever (`lost`)."""

    make: Callable[[], Sequence[tuple[str, Fault]]]
    lost: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)

    async def open(self, world: World, held: AsyncExitStack) -> dict[str, str]:
        self._world = world
        self._faults: list[Fault] = []
        held.callback(self._drop)
        return world.proxied

    def begin(self) -> None:
        for proxy, fault in self.make():
            self._faults.append(getattr(self._world, proxy).faults.add(fault))

    async def end(self) -> None:
        self._world.clear_faults()
        for fault in self._faults:
            if isinstance(fault, Hold) and not self.lost:
                fault.release()

    def _drop(self) -> None:
        for fault in self._faults:
            if isinstance(fault, Hold):
                fault.drop()

    @property
    def met(self) -> int:
        return sum(fault.met for fault in self._faults)


@dataclass
class Connections:
    """Connections to Pub/Sub are broken every `every_seconds`, and new ones refused if `refuse`."""

    every_seconds: float
    refuse: bool
    settings: Mapping[str, str] = field(default_factory=dict)

    async def open(self, world: World, held: AsyncExitStack) -> dict[str, str]:
        self._proxy = await held.enter_async_context(TcpProxy(world.direct["PUBSUB_EMULATOR_HOST"]))
        self._breaking: asyncio.Task[None] | None = None
        return {**world.proxied, "PUBSUB_EMULATOR_HOST": self._proxy.address}

    def begin(self) -> None:
        self._proxy.refusing = self.refuse
        self._breaking = asyncio.create_task(self._break())

    async def _break(self) -> None:
        while True:
            self._proxy.break_all()
            await asyncio.sleep(self.every_seconds)

    async def end(self) -> None:
        assert self._breaking is not None
        self._breaking.cancel()
        await asyncio.wait({self._breaking})
        self._proxy.refusing = False

    @property
    def met(self) -> int:
        return self._proxy.broken


@dataclass
class Names:
    """The names of Pub/Sub and of the Write API can't be resolved, and their connections break.

    The consumer finds both by name, with a name server of the tests' own.
    """

    settings: Mapping[str, str] = field(default_factory=dict)

    async def open(self, world: World, held: AsyncExitStack) -> dict[str, str]:
        self._server = await held.enter_async_context(NameServer())
        self._proxies: list[TcpProxy] = []
        environment = world.proxied
        for name in ("PUBSUB_EMULATOR_HOST", "BIGQUERY_STORAGE_EMULATOR_HOST"):
            proxy = await held.enter_async_context(TcpProxy(world.direct[name]))
            self._proxies.append(proxy)
            port = proxy.address.rpartition(":")[2]
            environment[name] = f"dns://{self._server.address}/service.test:{port}"
        return environment

    def begin(self) -> None:
        assert self._server.resolved, "the consumer did not ask the name server"
        self._server.failing = True
        for proxy in self._proxies:
            proxy.refusing = True
            proxy.break_all()

    async def end(self) -> None:
        self._server.failing = False
        for proxy in self._proxies:
            proxy.refusing = False

    @property
    def met(self) -> int:
        return self._server.failed


def at(proxy: str, kind: Callable[..., Fault], *arguments: Any) -> tuple[str, Fault]:
    """Return a fault with the proxy that it is for."""
    return proxy, kind(*arguments)
