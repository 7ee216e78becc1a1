"""Five minutes of each misbehaviour of the shop, in fake time: the real client over loopback, all else in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from carts_poller.changes import microseconds
from dataplatform.retry import Retrier, RetryPolicy
from dataplatform.settings import SourceSettings
from dataplatform.source import RawRecord, SourceClient, Take, Validators
from localcloud.fakestore.changes import CYCLE
from localcloud.fakestore.client import FakeStoreAdmin
from localcloud.fakestore.options import Options
from localcloud.fakestore.server import CHANGE_TICK_SECONDS, serving
from support.poller_truth import Shown, findings, shown
from unit.poller.world import World

_MISBEHAVE_SECONDS = 300
_INTERVAL_SECONDS = 60.0
_CARTS = 12

CASES: dict[str, dict[str, Any]] = {
    "429, come back in 7 s": {"kind": "status", "status": 429, "retry_after": 7},
    "429, come back in 2 min": {"kind": "status", "status": 429, "retry_after": 120},
    "500": {"kind": "status", "status": 500},
    "503 now and then": {"kind": "status", "status": 503, "ratio": 0.5},
    "522": {"kind": "status", "status": 522},
    "403": {"kind": "status", "status": 403},
    "404": {"kind": "status", "status": 404},
    "hang": {"kind": "hang"},
    "half an answer, then silence": {"kind": "stall"},
    "slow": {"kind": "drip", "chunk_bytes": 200},
    "reset": {"kind": "reset"},
    "broken off": {"kind": "reset", "after_bytes": 400},
    "empty body": {"kind": "empty_body"},
    "null": {"kind": "null"},
    "truncated": {"kind": "truncated"},
    "malformed": {"kind": "malformed"},
    "wrong types": {"kind": "wrong_types"},
    "missing field": {"kind": "missing_field"},
    "unknown field": {"kind": "unknown_field"},
    "duplicates": {"kind": "duplicate_ids"},
    "conflicting duplicates": {"kind": "conflicting_duplicates"},
    "conflicting duplicates now and then": {"kind": "conflicting_duplicates", "ratio": 0.5},
    "empty list": {"kind": "empty_list"},
    "empty list now and then": {"kind": "empty_list", "ratio": 0.5},
    "some carts lost": {"kind": "lost_records", "share": 0.3},
    "most carts lost": {"kind": "lost_records", "share": 0.8},
}
#: What `make test` runs; the rest belongs to `make test-long`.
_SHORT = frozenset({"429, come back in 7 s", "truncated", "conflicting duplicates now and then", "empty list"})


class ShopClock:
    """The world's time for the stand-in, which must not make it pass."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> datetime:
        return self._world.now()

    def monotonic(self) -> float:
        return self._world.monotonic()

    async def sleep(self, seconds: float) -> None:
        if seconds == CHANGE_TICK_SECONDS:  # the test alone changes carts
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(0)


class Watched(World):
    """The world with a real shop, and a note of each answer that the poller took to its end."""

    client: SourceClient
    began = 0
    last: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.answers: list[Shown] = []

    async def stream_changed[T](self, path: str, take: Take[T], known: Validators) -> tuple[T, Validators] | None:
        asked_at = microseconds(self.now())
        records: list[Any] = []

        async def taking(chunks: AsyncIterator[list[RawRecord]]) -> T:
            records.clear()  # an attempt before may have failed

            async def passing() -> AsyncIterator[list[RawRecord]]:
                async for some in chunks:
                    records.extend(record.value for record in some)
                    yield some

            return await take(passing())

        found = await self.client.stream_changed(path, taking, known)
        if found is None:
            self.requests["unchanged"] += 1
        else:
            self.last = tuple(records)
        self.answers.append(shown("one", self.began, asked_at, self.last))
        return found


@asynccontextmanager
async def watching(address: str | None = None, *, etags: bool = False) -> AsyncIterator[tuple[Watched, FakeStoreAdmin]]:
    """Yield a world and its shop; `address` is another way to the shop."""
    world = Watched()
    async with AsyncExitStack() as opened:
        session = await opened.enter_async_context(aiohttp.ClientSession())
        options = Options(carts=_CARTS, etags=etags)
        shop = f"http://{await opened.enter_async_context(serving(options, ShopClock(world)))}"
        settings = SourceSettings(url=address or shop, read_timeout_seconds=0.05, total_timeout_seconds=5)
        world.client = SourceClient(session, settings, Retrier(RetryPolicy(settings.retry_deadline_seconds), world))
        yield world, FakeStoreAdmin(shop, session)


async def poll_on(world: Watched, shop: FakeStoreAdmin, process: Any, times: int) -> int:
    """Poll at every tick while the shop changes; return how often that went well."""
    well = 0
    for _ in range(times):
        await shop.change(2, list(CYCLE[well % 2 :]))
        started, world.began = world.seconds, microseconds(world.now())
        assert await process.history.open() is None
        if await process.once() is None:
            well += 1
            world.answers[-1].done_at = microseconds(world.now())
        world.seconds = max(world.seconds, started + _INTERVAL_SECONDS)
    return well


@pytest.mark.parametrize("etags", [False, pytest.param(True, marks=pytest.mark.long)], ids=["plain", "etags"])
@pytest.mark.parametrize(
    "case", [pytest.param(name, marks=() if name in _SHORT else pytest.mark.long) for name in CASES]
)
async def test_after_five_minutes_of_a_misbehaviour_every_change_is_told_once(case: str, *, etags: bool) -> None:
    async with watching(etags=etags) as (world, shop):
        process = world.process()
        assert await poll_on(world, shop, process, 2) == 2
        await shop.misbehave(routes="/carts", seconds=_MISBEHAVE_SECONDS, **CASES[case])
        until = world.seconds + _MISBEHAVE_SECONDS
        went_well = 0
        while world.seconds < until:
            went_well += await poll_on(world, shop, process, 1)
        assert (await shop.state())["misbehaviours"]["served"], "it did not misbehave"
        world.seconds += _INTERVAL_SECONDS
        assert await poll_on(world, shop, process, 2) == 2
        world.began = microseconds(world.now())
        assert await process.once() is None
        world.answers[-1].done_at = microseconds(world.now())

        carts = [event for event in world.told if event.event_type == "cart_created"]
        assert len(carts) >= _CARTS
        assert findings(world.answers, (), [event.data for event in world.published]) == []
        assert world.requests["unchanged"] == etags
        print(f"{case}: {went_well} polls went well meanwhile, {len(world.told)} events")  # noqa: T201 - the numbers of a campaign


@pytest.mark.long
@pytest.mark.parametrize("endless", [False, True], ids=["redirected", "redirected for ever"])
async def test_after_five_minutes_of_redirects_every_change_is_told_once(*, endless: bool) -> None:
    redirecting = True
    async with watching() as (_, direct):
        target = direct.base_url

        async def answer(request: web.Request) -> web.StreamResponse:
            there = str(request.url) if endless and redirecting else f"{target}{request.path}"
            raise web.HTTPFound(there)

        app = web.Application()
        app.router.add_get("/carts", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with watching(f"http://127.0.0.1:{runner.addresses[0][1]}") as (world, _):
                process = world.process()
                well = await poll_on(world, direct, process, 5)
                assert well == (0 if endless else 5)
                redirecting = False
                assert await poll_on(world, direct, process, 2) == 2
        finally:
            await runner.cleanup()
        assert findings(world.answers, (), [event.data for event in world.published]) == []
