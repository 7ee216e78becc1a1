"""A stand-in for each test, in its own process's event loop, on a free port."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any, Protocol

import aiohttp
import pytest

from dataplatform.clock import Clock, SystemClock
from localcloud.fakestore.client import FakeStoreAdmin
from localcloud.fakestore.options import Options
from localcloud.fakestore.server import serving


class Shop:
    """A running stand-in as a client sees it."""

    def __init__(self, base_url: str, session: aiohttp.ClientSession) -> None:
        self.base_url = base_url
        self.session = session
        self.admin = FakeStoreAdmin(base_url, session)

    async def json(self, path: str) -> Any:
        async with self.session.get(f"{self.base_url}{path}") as response:
            assert response.status == 200
            return await response.json()

    async def get(self, path: str, **headers: str) -> tuple[int, bytes, Mapping[str, str]]:
        async with self.session.get(f"{self.base_url}{path}", headers=headers) as response:
            return response.status, await response.read(), response.headers

    async def ids(self, path: str) -> list[int]:
        return [record["id"] for record in await self.json(path)]


class StartShop(Protocol):
    """Starts a stand-in that ends with the test."""

    async def __call__(self, options: Options, clock: Clock | None = None) -> Shop: ...


@pytest.fixture
async def start_shop() -> AsyncIterator[StartShop]:
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)))

        async def start(options: Options, clock: Clock | None = None) -> Shop:
            address = await stack.enter_async_context(serving(options, clock or SystemClock()))
            return Shop(f"http://{address}", session)

        yield start


@pytest.fixture
async def shop(start_shop: StartShop) -> Shop:
    return await start_shop(Options())
