"""The source client against a shop that misbehaves in every known way."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from dataplatform.clock import SystemClock
from dataplatform.errors import ConfigurationError, UnavailableError
from dataplatform.retry import BadAnswerError, Retrier, RetryPolicy, StatusError
from dataplatform.settings import SourceSettings
from dataplatform.source import RawRecord, SourceClient, Validators, retry_after_seconds
from localcloud.fakestore.client import FakeStoreAdmin
from localcloud.fakestore.options import Options
from localcloud.fakestore.server import serving
from support import golden


class QuickClock:
    """A clock on which sleeping takes no time; it remembers how long it slept."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC) + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


Connect = Callable[..., SourceClient]


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def connect(session: aiohttp.ClientSession, clock: QuickClock) -> Connect:
    def make(url: str, **settings: Any) -> SourceClient:
        return SourceClient(session, SourceSettings(url=url, **settings), Retrier(RetryPolicy(30), clock))

    return make


@pytest.fixture
async def shop(session: aiohttp.ClientSession) -> AsyncIterator[FakeStoreAdmin]:
    async with serving(Options(), SystemClock()) as address:
        yield FakeStoreAdmin(f"http://{address}", session)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with AsyncExitStack() as opened:

        async def start(handler: Handler) -> str:
            app = web.Application()
            app.router.add_get("/carts", handler)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
            await runner.setup()
            opened.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            return f"http://127.0.0.1:{runner.addresses[0][1]}"

        yield start


def answering(body: bytes, **headers: str) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return handler


async def test_the_whole_list_comes_in_its_order_with_integers_and_floats_as_sent(
    shop: FakeStoreAdmin, connect: Connect
) -> None:
    products = await connect(shop.base_url).get_list("/products")

    assert [product["id"] for product in products] == list(range(1, golden.PRODUCTS + 1))
    assert {one["id"] for one in products if type(one["price"]) is int} == golden.INTEGER_PRICES


async def test_a_record_keeps_its_text_exactly(serve: Serve, connect: Connect) -> None:
    texts = ['{"id" : 1, "price":1.50}', "null", '"ü \\u00fc"', "[1e2 ,3]", "-0.0"]
    url = await serve(answering(f" [{texts[0]},{texts[1]} ,\n{texts[2]}, {texts[3]},{texts[4]} ] \r\n".encode()))

    records = await connect(url).get_records("/carts")

    assert [record.text for record in records] == texts
    assert [record.value for record in records] == [json.loads(text) for text in texts]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(VALUES, max_size=5), st.sampled_from([None, 0, 3]))
def test_any_list_is_read_as_json_reads_it(values: list[Any], indent: int | None) -> None:
    async def read() -> list[Any]:
        async with AsyncExitStack() as opened:
            runner = web.AppRunner(web.Application(), access_log=None, shutdown_timeout=0)
            runner.app.router.add_get("/carts", answering(json.dumps(values, indent=indent).encode()))
            await runner.setup()
            opened.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            session = await opened.enter_async_context(aiohttp.ClientSession())
            settings = SourceSettings(url=f"http://127.0.0.1:{runner.addresses[0][1]}")
            return await SourceClient(session, settings, Retrier(RetryPolicy(1), QuickClock())).get_list("/carts")

    assert asyncio.run(read()) == values


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("status", {"status": 429}),
        ("status", {"status": 500}),
        ("status", {"status": 502}),
        ("status", {"status": 503}),
        ("status", {"status": 522}),
        ("empty_body", {}),
        ("null", {}),
        ("truncated", {}),
        ("malformed", {}),
        ("reset", {}),
        ("reset", {"after_bytes": 100}),
        ("hang", {}),
        ("stall", {}),
    ],
)
async def test_trouble_that_passes_is_overcome(
    shop: FakeStoreAdmin, connect: Connect, clock: QuickClock, kind: Any, parameters: dict[str, Any]
) -> None:
    await shop.misbehave(kind, routes="/carts", count=2, **parameters)

    carts = await connect(shop.base_url, read_timeout_seconds=0.2).get_list("/carts")

    assert len(carts) == golden.CARTS
    # At least one: aiohttp itself asks once more, at once, when a kept-alive connection turns out to be closed.
    assert clock.slept


@pytest.mark.parametrize("kind", ["empty_body", "null", "truncated", "malformed"])
async def test_trouble_that_stays_ends_at_the_deadline_in_one_sentence(
    shop: FakeStoreAdmin, connect: Connect, kind: Any
) -> None:
    await shop.misbehave(kind, routes="/users")

    with pytest.raises(UnavailableError, match=r"^GET http://\S+/users failed \d+ times, last with: ") as caught:
        await connect(shop.base_url).get_list("/users")

    assert isinstance(caught.value.__cause__, BadAnswerError)
    assert golden.PASSWORD_MARK not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"1",
        b'"[]"',
        b"[",
        b"[1",
        b"[1,",
        b"[1,]",
        b"[,1]",
        b"[1 2]",
        b"[1]]",
        b"[1] x",
        b"[NaN]",
        b"[Infinity]",
        b"['a']",
        b"[\xff]",
        b"\xff\xfe",
        b"<html></html>",
        b"   ",
        b"[" * 100_000,
        b"[" + b"9" * 5000 + b"]",
    ],
)
async def test_a_body_that_is_no_json_list_is_a_bad_answer(serve: Serve, connect: Connect, body: bytes) -> None:
    url = await serve(answering(body))

    with pytest.raises(UnavailableError) as caught:
        await connect(url).get_list("/carts")

    assert isinstance(caught.value.__cause__, BadAnswerError)


async def test_an_empty_list_is_a_good_answer(serve: Serve, connect: Connect) -> None:
    url = await serve(answering(b" [ ] "))

    assert await connect(url).get_list("/carts") == []


@pytest.mark.parametrize(("status", "setting"), [(403, "USER_AGENT"), (401, "USER_AGENT"), (404, "URL"), (400, "URL")])
async def test_a_refusal_is_not_tried_again_and_names_the_setting(
    shop: FakeStoreAdmin, connect: Connect, clock: QuickClock, status: int, setting: str
) -> None:
    await shop.misbehave("status", status=status, routes="/carts")

    with pytest.raises(ConfigurationError, match=rf"/carts answered {status} .*EYDP_SOURCE_{setting}"):
        await connect(shop.base_url).get_list("/carts")

    assert clock.slept == []


async def test_the_client_names_itself(serve: Serve, connect: Connect) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response([request.headers["User-Agent"]])

    assert await connect(await serve(handler), user_agent="shopper/1").get_list("/carts") == ["shopper/1"]


async def test_a_retry_waits_as_long_as_the_source_asks_for(
    shop: FakeStoreAdmin, connect: Connect, clock: QuickClock
) -> None:
    await shop.misbehave("status", status=429, retry_after=17, count=1, routes="/carts")

    await connect(shop.base_url).get_list("/carts")

    assert clock.slept == [17]


async def test_a_wait_beyond_the_deadline_is_not_begun(
    shop: FakeStoreAdmin, connect: Connect, clock: QuickClock
) -> None:
    await shop.misbehave("status", status=503, retry_after=3600, routes="/carts")

    with pytest.raises(UnavailableError) as caught:
        await connect(shop.base_url).get_list("/carts")

    assert clock.slept == []
    assert isinstance(caught.value.__cause__, StatusError)
    assert caught.value.__cause__.retry_after == 3600


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        ("7", None, 7.0),
        (" 0 ", None, 0.0),
        ("Tue, 24 Nov 2026 09:01:00 GMT", "Tue, 24 Nov 2026 09:00:00 GMT", 60.0),
        ("Tue, 24 Nov 2026 08:59:00 GMT", "Tue, 24 Nov 2026 09:00:00 GMT", 0.0),
        ("Tue, 24 Nov 2026 09:01:00 GMT", None, None),
        (None, None, None),
        ("soon", "Tue, 24 Nov 2026 09:00:00 GMT", None),
        ("-1", None, None),
        ("9" * 400, None, None),
        ("", "", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_nonsense_is_left_out(
    header: str | None, date: str | None, seconds: float | None
) -> None:
    assert retry_after_seconds(header, date) == seconds


async def test_a_compressed_answer_is_read(serve: Serve, connect: Connect) -> None:
    url = await serve(answering(gzip.compress(b"[1]"), Content_Encoding="gzip"))

    assert await connect(url).get_list("/carts") == [1]


async def test_an_answer_that_claims_to_be_compressed_and_is_not_is_tried_again(
    serve: Serve, connect: Connect, clock: QuickClock
) -> None:
    url = await serve(answering(b"[1]", Content_Encoding="gzip"))

    with pytest.raises(UnavailableError):
        await connect(url).get_list("/carts")

    assert clock.slept


async def test_the_bound_counts_bytes_after_decompression(serve: Serve, connect: Connect) -> None:
    url = await serve(answering(gzip.compress(b"[" + b" " * 1_000_000 + b"]"), Content_Encoding="gzip"))

    with pytest.raises(ConfigurationError, match="EYDP_SOURCE_MAX_BODY_BYTES"):
        await connect(url, max_body_bytes=500_000).get_list("/carts")
    assert await connect(url, max_body_bytes=1_000_002).get_list("/carts") == []


async def test_redirects_without_end_are_a_bad_answer(serve: Serve, connect: Connect) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/carts")

    with pytest.raises(UnavailableError, match="TooManyRedirects"):
        await connect(await serve(handler)).get_list("/carts")


async def test_a_source_that_nobody_serves_is_unavailable(connect: Connect, unused_tcp_port: int) -> None:
    with pytest.raises(UnavailableError, match="Cannot connect"):
        await connect(f"http://127.0.0.1:{unused_tcp_port}").get_list("/carts")


@pytest.mark.parametrize("url", ["http://[", "http://shop:port"])
async def test_an_address_that_makes_no_sense_names_the_setting(connect: Connect, url: str) -> None:
    with pytest.raises(ConfigurationError, match="EYDP_SOURCE_URL"):
        await connect(url).get_list("/carts")


async def test_a_stream_that_breaks_off_begins_anew_and_gives_only_the_good_answer(
    serve: Serve, connect: Connect
) -> None:
    answers = [b'[{"id":1},', b'[{"id":1},{"id":2}]']
    begun: list[int] = []

    async def take(chunks: AsyncIterator[list[RawRecord]]) -> list[int]:
        begun.append(1)
        return [record.value["id"] async for chunk in chunks for record in chunk]

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body=answers.pop(0))

    assert await connect(await serve(handler)).stream("/carts", take) == [1, 2]
    assert len(begun) == 2


async def test_an_answer_that_did_not_change_is_not_sent_again(serve: Serve, connect: Connect) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.headers.get("If-None-Match") == '"7"':
            return web.Response(status=304)
        return web.Response(body=b"[7]", headers={"ETag": '"7"'})

    async def take(chunks: AsyncIterator[list[RawRecord]]) -> int:
        return sum([len(chunk) async for chunk in chunks])

    client = connect(await serve(handler))
    first = await client.stream_changed("/carts", take, Validators())
    assert first == (1, Validators(etag='"7"'))
    assert await client.stream_changed("/carts", take, Validators(etag='"7"')) is None


async def test_a_secret_header_is_sent_and_does_not_follow_a_redirect(
    serve: Serve, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "X-Api-Key").write_text("k1")
    asked: list[str] = []

    async def other(request: web.Request) -> web.StreamResponse:
        asked.append(request.headers.get("X-Api-Key", ""))
        return web.Response(body=b"[]")

    elsewhere = await serve(other)

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.headers.get("X-Api-Key") != "k1":
            return web.Response(status=401)
        return web.Response(status=302, headers={"Location": f"{elsewhere}/carts"})

    url = await serve(handler)
    with pytest.raises(ConfigurationError, match="answered 302"):
        await connect(url, headers_dir=str(tmp_path)).get_list("/carts")
    assert asked == []
