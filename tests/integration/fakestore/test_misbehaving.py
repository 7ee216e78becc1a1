"""Each misbehaviour is what a client would meet at the real service."""

import asyncio
import json

import aiohttp
import pytest

from localcloud.fakestore.client import FakeStoreAdminError
from localcloud.fakestore.options import Options

from .conftest import Shop, StartShop

BRIEF = aiohttp.ClientTimeout(total=0.3)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 522])
async def test_a_status_comes_with_a_page_and_then_all_is_well(shop: Shop, status: int) -> None:
    await shop.admin.misbehave("status", status=status, count=1)

    answered, body, headers = await shop.get("/carts")

    assert answered == status
    assert headers["Content-Type"].startswith("text/html")
    assert "Retry-After" not in headers
    assert str(status).encode() in body
    assert await shop.ids("/carts") == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("retry_after", [7, "Wed, 21 Oct 2026 07:28:00 GMT"])
async def test_retry_after_is_sent_as_it_was_asked_for(shop: Shop, retry_after: int | str) -> None:
    await shop.admin.misbehave("status", status=429, retry_after=retry_after)

    _, _, headers = await shop.get("/carts")

    assert headers["Retry-After"] == str(retry_after)


@pytest.mark.parametrize(("kind", "expected"), [("empty_body", b""), ("null", b"null"), ("empty_list", b"[]")])
async def test_a_body_is_empty_null_or_an_empty_list(shop: Shop, kind: str, expected: bytes) -> None:
    await shop.admin.misbehave(kind)  # type: ignore[arg-type]  # the parameters are kinds

    status, body, _ = await shop.get("/carts")

    assert (status, body) == (200, expected)


@pytest.mark.parametrize("kind", ["truncated", "malformed"])
@pytest.mark.parametrize("path", ["/carts", "/carts/1", "/products/categories", "/carts/999"])
async def test_a_complete_answer_can_hold_broken_json(shop: Shop, kind: str, path: str) -> None:
    await shop.admin.misbehave(kind)  # type: ignore[arg-type]  # the parameters are kinds

    status, body, _ = await shop.get(path)

    assert status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


async def test_duplicates_lost_records_and_wrong_types_are_served(shop: Shop) -> None:
    await shop.admin.misbehave("duplicate_ids", count=1)
    await shop.admin.misbehave("conflicting_duplicates", count=1)
    await shop.admin.misbehave("lost_records", share=0.5, count=1)
    await shop.admin.misbehave("wrong_types", at=0.0, count=1)

    assert await shop.ids("/carts") == [1, 2, 3, 4, 5, 6, 6]
    assert await shop.ids("/carts") == [1, 2, 3, 4, 5, 6, 7, 7]
    assert len(await shop.ids("/carts")) == 3
    assert (await shop.json("/carts"))[0]["userId"] == "not a number"
    assert await shop.ids("/carts") == [1, 2, 3, 4, 5, 6, 7]


async def test_a_big_answer_is_spoilt_as_a_stream(start_shop: StartShop) -> None:
    shop = await start_shop(Options(carts=5000))
    await shop.admin.misbehave("truncated", at=0.9, count=1)
    await shop.admin.misbehave("lost_records", share=0.25, count=1)
    await shop.admin.misbehave("duplicate_ids", count=1)

    _, cut, headers = await shop.get("/carts")
    assert headers["Transfer-Encoding"] == "chunked"
    assert cut.count(b'"userId"') in {4500, 4501}
    assert len(await shop.ids("/carts")) == 3750
    assert (await shop.ids("/carts"))[-3:] == [4998, 4999, 4999]


async def test_a_hanging_answer_outlasts_the_patience_of_the_client(shop: Shop) -> None:
    await shop.admin.misbehave("hang", count=1)

    with pytest.raises(TimeoutError):
        await shop.session.get(f"{shop.base_url}/carts", timeout=BRIEF)

    assert len(await shop.ids("/carts")) == 7


async def test_an_answer_that_hangs_for_a_while_is_good_in_the_end(shop: Shop) -> None:
    await shop.admin.misbehave("hang", hang_seconds=0.01, count=1)

    assert len(await shop.ids("/carts")) == 7


async def test_a_stalled_answer_stops_half_way(shop: Shop) -> None:
    await shop.admin.misbehave("stall", count=1)

    async with shop.session.get(f"{shop.base_url}/carts", timeout=BRIEF) as response:
        assert response.status == 200
        assert (await response.content.readany()).startswith(b'[{"id":1')
        with pytest.raises(TimeoutError):
            await response.content.read()


async def test_an_answer_that_stalls_for_a_while_is_good_in_the_end(shop: Shop) -> None:
    await shop.admin.misbehave("stall", hang_seconds=0.01, count=2)

    assert len(await shop.ids("/carts")) == 7
    assert (await shop.json("/users/1"))["id"] == 1


async def test_a_drip_is_slow_and_whole(shop: Shop) -> None:
    whole = await shop.get("/carts")
    await shop.admin.misbehave("drip", chunk_bytes=50, delay_seconds=0.001, count=1)

    async with shop.session.get(f"{shop.base_url}/carts") as response:
        chunks = [chunk async for chunk, ends in response.content.iter_chunks() if ends]

    assert b"".join(chunks) == whole[1]
    assert max(map(len, chunks)) <= 50


async def test_a_drip_outlasts_the_patience_of_the_client(shop: Shop) -> None:
    await shop.admin.misbehave("drip", chunk_bytes=1, delay_seconds=0.05, count=1)

    with pytest.raises(TimeoutError):
        async with shop.session.get(f"{shop.base_url}/carts", timeout=BRIEF) as response:
            await response.read()


async def test_a_reset_gives_no_answer_at_all(shop: Shop) -> None:
    await shop.admin.misbehave("reset")

    with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        await shop.session.get(f"{shop.base_url}/carts")


async def test_a_reset_can_come_within_the_body(shop: Shop) -> None:
    await shop.admin.misbehave("reset", after_bytes=100)

    async with shop.session.get(f"{shop.base_url}/carts") as response:
        assert response.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_only_the_routes_meant_are_hit(shop: Shop) -> None:
    await shop.admin.misbehave("status", routes="/products*")

    assert (await shop.get("/products"))[0] == 503
    assert (await shop.get("/products/categories"))[0] == 503
    assert (await shop.get("/carts"))[0] == 200


async def test_misbehaviour_can_be_taken_away(shop: Shop) -> None:
    await shop.admin.misbehave("status")
    assert (await shop.get("/carts"))[0] == 503

    await shop.admin.behave()

    assert (await shop.get("/carts"))[0] == 200


async def test_what_was_served_is_counted(shop: Shop) -> None:
    await shop.admin.misbehave("status", count=2)
    for _ in range(3):
        await shop.get("/carts")

    assert (await shop.admin.state())["misbehaviours"] == {"served": {"status": 2}, "in_force": []}


async def test_a_client_that_leaves_a_big_answer_harms_nobody(start_shop: StartShop) -> None:
    shop = await start_shop(Options(carts=200_000))

    response = await shop.session.get(f"{shop.base_url}/carts")
    await response.content.readany()
    response.close()

    assert await shop.ids("/carts?limit=1") == [1]


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [("explode", {}), ("status", {"status": 200}), ("null", {"share": 0.1}), ("null", {"count": 0})],
)
async def test_a_rule_that_means_nothing_is_refused_in_one_sentence(
    shop: Shop, kind: str, parameters: dict[str, int]
) -> None:
    with pytest.raises(FakeStoreAdminError, match=r"^[^\n]+\.$") as refused:
        await shop.admin.misbehave(kind, **parameters)  # type: ignore[arg-type]  # wrong on purpose

    assert refused.value.status == 400
    assert (await shop.admin.state())["misbehaviours"]["in_force"] == []


async def test_requests_side_by_side_are_answered_while_one_hangs(shop: Shop) -> None:
    await shop.admin.misbehave("hang", count=1)
    hanging = asyncio.create_task(shop.get("/carts"))
    async with asyncio.timeout(10):
        while not (await shop.admin.state())["misbehaviours"]["served"]:
            pass

    assert len(await shop.ids("/carts")) == 7
    assert not hanging.done()
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
