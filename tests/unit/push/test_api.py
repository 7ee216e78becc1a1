"""The HTTP edge: every answer that the service can give, as its description promises it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from carts_poller.push.api import Api
from carts_poller.push.openapi import EVENTS_PATH, OPENAPI_PATH, described
from carts_poller.push.problem import PROBLEM_TYPE, Code
from carts_poller.push.settings import PushSettings
from carts_poller.push.signature import IDEMPOTENCY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

from .pushing import KEY, OTHER_KEY, Shop, running, text, turns

JSON = "application/json"


@dataclass
class World:
    shop: Shop
    api: Api
    client: "TestClient[Any, Any]"

    def signed(self, body: bytes, *, key: bytes = KEY, seconds: int = 0) -> dict[str, str]:
        at = int(self.shop.clock.now().timestamp()) + seconds
        return {TIMESTAMP_HEADER: str(at), SIGNATURE_HEADER: sign(key, at, body), "Content-Type": JSON}

    async def post(
        self, body: bytes, headers: Mapping[str, str] | None = None, *, more: Mapping[str, str] | None = None
    ) -> ClientResponse:
        given = self.signed(body) if headers is None else dict(headers)
        return await self.client.post(EVENTS_PATH, data=body, headers=given | dict(more or {}))


type Scenario = Callable[[World], Awaitable[ClientResponse]]

SMALL: dict[str, Any] = {
    "max_body_bytes": 2000,
    "max_records": 3,
    "max_concurrent_requests": 2,
    "requests_per_second": 1,
    "requests_burst": 3,
    "body_timeout_seconds": 0.05,
}


async def world(opened: AsyncExitStack, folder: Path) -> World:
    shop = await opened.enter_async_context(running(folder, **SMALL))
    api = Api(shop.service, shop.settings, shop.clock, shop.metrics)
    client = TestClient(TestServer(api.application()))
    await opened.enter_async_context(client)
    return World(shop, api, client)


async def bad_records(at: World) -> ClientResponse:
    return await at.post(b"{}")


async def not_json(at: World) -> ClientResponse:
    return await at.post(b"[")


async def empty(at: World) -> ClientResponse:
    return await at.post(b"[]")


async def bad_key(at: World) -> ClientResponse:
    return await at.post(text(1), more={IDEMPOTENCY_HEADER: "a b"})


async def unsigned(at: World) -> ClientResponse:
    return await at.post(text(1), {"Content-Type": JSON})


async def stale(at: World) -> ClientResponse:
    return await at.post(text(1), at.signed(text(1), seconds=-301))


async def forged(at: World) -> ClientResponse:
    return await at.post(text(1), at.signed(text(1), key=OTHER_KEY))


async def slow(at: World) -> ClientResponse:
    async def never() -> Any:
        yield b"["
        await asyncio.sleep(30)

    return await at.client.post(EVENTS_PATH, data=never(), headers=at.signed(b"["))


async def replayed(at: World) -> ClientResponse:
    await at.post(text(1))
    at.shop.clock.advance(-0.003)  # the linger, which may have been the end of a second
    return await at.post(text(1))


async def too_large(at: World) -> ClientResponse:
    return await at.post(text(1, note="x" * 2000))


async def too_many(at: World) -> ClientResponse:
    return await at.post(b"\n".join(text(number) for number in range(4)), more={"Content-Type": "application/x-ndjson"})


async def unsupported(at: World) -> ClientResponse:
    return await at.post(text(1), more={"Content-Type": "text/plain"})


async def key_reused(at: World) -> ClientResponse:
    await at.post(text(1), more={IDEMPOTENCY_HEADER: "key"})
    return await at.post(text(2), more={IDEMPOTENCY_HEADER: "key"})


async def too_fast(at: World) -> ClientResponse:
    at.shop.topic.open.set()
    for number in range(3):
        await at.shop.push(text(number))
    return await at.post(text(9))


async def busy(at: World) -> ClientResponse:
    at.shop.topic.open.clear()
    waiting = [asyncio.create_task(at.post(text(number))) for number in range(2)]
    while at.api.room.requests < 2:
        await turns()
    try:
        return await at.post(text(9))
    finally:
        at.shop.topic.open.set()
        assert [answer.status for answer in await asyncio.gather(*waiting)] == [202, 202]


async def unavailable(at: World) -> ClientResponse:
    at.shop.topic.down = True
    return await at.post(text(1))


async def stopping(at: World) -> ClientResponse:
    at.api.stopping = True
    return await at.post(text(1))


SCENARIOS: dict[Code, Scenario] = {
    Code.BAD_RECORDS: bad_records,
    Code.NOT_JSON: not_json,
    Code.EMPTY: empty,
    Code.BAD_KEY: bad_key,
    Code.UNSIGNED: unsigned,
    Code.STALE: stale,
    Code.FORGED: forged,
    Code.SLOW: slow,
    Code.REPLAYED: replayed,
    Code.TOO_LARGE: too_large,
    Code.TOO_MANY: too_many,
    Code.UNSUPPORTED: unsupported,
    Code.KEY_REUSED: key_reused,
    Code.TOO_FAST: too_fast,
    Code.BUSY: busy,
    Code.UNAVAILABLE: unavailable,
    Code.STOPPING: stopping,
}


def test_every_problem_has_a_scenario_and_every_status_is_described() -> None:
    assert set(SCENARIOS) == set(Code)
    answers = described(PushSettings())["paths"][EVENTS_PATH]["post"]["responses"]
    assert set(answers) == {"202", *(str(code.status) for code in Code)}


@pytest.mark.parametrize("code", Code, ids=lambda code: code.word)
async def test_a_problem_is_answered_as_described_counted_and_publishes_nothing_that_is_not_confirmed(
    code: Code, tmp_path: Path
) -> None:
    async with AsyncExitStack() as opened:
        at = await world(opened, tmp_path)
        answer = await SCENARIOS[code](at)
        body = await answer.json(content_type=PROBLEM_TYPE)
        description = described(at.shop.settings)
        assert (answer.status, body["status"], body["code"]) == (code.status, code.status, code.word)
        jsonschema.validate(body, description["components"]["schemas"]["Problem"])
        promised = description["paths"][EVENTS_PATH]["post"]["responses"][str(code.status)]
        assert set(promised.get("headers", {})) == {"Retry-After"} & set(answer.headers)
        assert at.shop.metrics.requests.labels(str(code.status))._value.get() == 1
        assert at.api.room.requests == 0


async def test_a_request_is_answered_with_how_many_records_are_safe(tmp_path: Path) -> None:
    async with AsyncExitStack() as opened:
        at = await world(opened, tmp_path)
        for body, kind, count in (
            (text(1), JSON, 1),
            (b"[" + text(2) + b"," + text(3) + b"]", "application/json; charset=utf-8", 2),
            (text(4) + b"\n" + b'{"id": 5, "deleted": true}\n', "application/x-ndjson", 2),
        ):
            answer = await at.post(body, more={"Content-Type": kind})
            assert (answer.status, await answer.json()) == (202, {"accepted": count})
        assert sorted(record.cart_id for record in at.shop.topic.records) == [1, 2, 3, 4, 5]
        assert at.shop.metrics.records.labels("accepted")._value.get() == 5
        assert at.shop.metrics.requests.labels("202")._value.get() == 3


async def test_a_compressed_body_and_another_charset_are_refused(tmp_path: Path) -> None:
    async with AsyncExitStack() as opened:
        at = await world(opened, tmp_path)
        assert (await at.post(text(1), more={"Content-Type": "application/json; charset=latin-1"})).status == 415
        assert (await at.post(text(1), more={"Content-Encoding": "gzip"})).status in {400, 415}


async def test_a_body_of_unknown_length_is_counted_while_it_arrives(tmp_path: Path) -> None:
    async with AsyncExitStack() as opened:
        at = await world(opened, tmp_path)

        async def pieces() -> Any:
            for _ in range(30):
                yield b" " * 100

        answer = await at.client.post(EVENTS_PATH, data=pieces(), headers=at.signed(b""))
        assert answer.status == 413


@pytest.mark.parametrize(
    "framing",
    [b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n", b"Content-Length: 50\r\n\r\n["],
    ids=["chunked", "length"],
)
async def test_a_body_that_breaks_off_is_the_clients_fault(tmp_path: Path, framing: bytes) -> None:
    async with AsyncExitStack() as opened:
        at = await world(opened, tmp_path)
        reader, writer = await asyncio.open_connection("127.0.0.1", at.client.port)
        headers = "".join(f"{name}: {value}\r\n" for name, value in at.signed(b"[").items())
        writer.write(f"POST {EVENTS_PATH} HTTP/1.1\r\nHost: x\r\n{headers}".encode() + framing)
        writer.write_eof()
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        assert b"HTTP/1.1 5" not in answer
        assert at.shop.topic.records == []
        assert at.api.room.requests == 0


async def test_a_fault_of_the_service_is_a_500_and_the_log_quotes_nothing_of_the_request(tmp_path: Path) -> None:
    class Broken:
        def claimed(self, timestamp: str | None, signature: str | None) -> Any:
            raise ValueError(f"secret {timestamp} {signature}")

    with capture_logs() as logs:
        async with running(tmp_path) as shop:
            broken: Any = Broken()
            api = Api(broken, shop.settings, shop.clock, shop.metrics)
            async with TestClient(TestServer(api.application())) as client:
                answer = await client.post(EVENTS_PATH, data=text(1), headers={"Content-Type": JSON})
                assert (answer.status, (await answer.json(content_type=PROBLEM_TYPE))["code"]) == (500, "internal")
    said = str(logs)
    assert "ValueError" in said
    assert "secret" not in said


async def test_routes_that_are_not_there_are_answered_in_the_same_shape(tmp_path: Path) -> None:
    async with AsyncExitStack() as opened:
        at = await world(opened, tmp_path)
        for method, path, status in (("GET", "/", 404), ("GET", EVENTS_PATH, 405), ("DELETE", EVENTS_PATH, 405)):
            answer = await at.client.request(method, path)
            assert (answer.status, (await answer.json(content_type=PROBLEM_TYPE))["status"]) == (status, status)
            assert answer.headers.get("Allow") == (None if status == 404 else "POST")


async def test_the_description_is_served_and_says_what_is_taken(tmp_path: Path) -> None:
    async with AsyncExitStack() as opened:
        at = await world(opened, tmp_path)
        found = await (await at.client.get(OPENAPI_PATH)).json()
        assert found == json.loads(json.dumps(described(at.shop.settings)))
        schemas = {"components": found["components"], "$ref": "#/components/schemas/Record"}
        jsonschema.validate(json.loads(text(1)), schemas)
        jsonschema.validate({"id": 5, "deleted": True}, schemas)
        for wrong in ({"id": 5}, {"id": -1, "deleted": True}, {"id": 5, "deleted": False}, json.loads(text(-1))):
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate(wrong, schemas)


async def test_a_list_of_bad_records_is_cut_and_counted(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        api = Api(shop.service, shop.settings, shop.clock, shop.metrics)
        async with TestClient(TestServer(api.application())) as client:
            at = World(shop, api, client)
            answer = await at.post(b"{}\n" * 150, more={"Content-Type": "application/x-ndjson"})
            body = await answer.json(content_type=PROBLEM_TYPE)
            assert (body["bad_records"], len(body["records"])) == (150, 100)
            assert body["records"][99]["index"] == 99
