"""Conditional requests, where they are switched on."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from localcloud.fakestore.options import Options

from .conftest import Shop, StartShop


class StandingClock:
    """A clock that stands until a test moves it; nobody wakes from a sleep."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 24, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    async def sleep(self, _seconds: float) -> None:
        await asyncio.get_running_loop().create_future()


@pytest.fixture
async def tagged(start_shop: StartShop) -> Shop:
    return await start_shop(Options(etags=True))


async def tag_of(shop: Shop, path: str) -> str:
    _, _, headers = await shop.get(path)
    return headers["ETag"]


async def test_by_default_there_are_no_validators_and_no_304(shop: Shop) -> None:
    status, _, headers = await shop.get("/carts", **{"If-None-Match": "*"})

    assert status == 200
    assert not {"ETag", "Last-Modified"} & headers.keys()


@pytest.mark.parametrize("path", ["/carts", "/carts/1", "/carts/user/1", "/products/categories", "/users?limit=2"])
async def test_a_known_tag_is_answered_with_304_and_no_body(tagged: Shop, path: str) -> None:
    tag = await tag_of(tagged, path)

    status, body, headers = await tagged.get(path, **{"If-None-Match": f'"other", W/{tag}'})

    assert (status, body, headers["ETag"]) == (304, b"", tag)


async def test_a_change_ends_the_tag_of_its_entity_alone(tagged: Shop) -> None:
    carts, users = await tag_of(tagged, "/carts"), await tag_of(tagged, "/users")

    await tagged.admin.change(1)

    assert (await tagged.get("/carts", **{"If-None-Match": carts}))[0] == 200
    assert (await tagged.get("/users", **{"If-None-Match": users}))[0] == 304


async def test_a_reset_never_brings_an_old_tag_back(tagged: Shop) -> None:
    await tagged.admin.change(1)
    tag = await tag_of(tagged, "/carts")

    await tagged.admin.reset()
    await tagged.admin.settings(etags=True)

    assert (await tagged.get("/carts", **{"If-None-Match": tag}))[0] == 200


async def test_two_runs_never_share_a_tag(start_shop: StartShop) -> None:
    first, second = await start_shop(Options(etags=True)), await start_shop(Options(etags=True))

    assert await tag_of(first, "/carts") != await tag_of(second, "/carts")


async def test_an_answer_that_depends_on_the_time_has_no_tag(tagged: Shop) -> None:
    _, _, headers = await tagged.get("/carts?startdate=2020-01-01")

    assert "ETag" not in headers


async def test_spoilt_content_has_no_tag_and_is_sent_even_for_a_known_one(tagged: Shop) -> None:
    tag = await tag_of(tagged, "/carts")
    await tagged.admin.misbehave("empty_list", count=1)

    status, body, headers = await tagged.get("/carts", **{"If-None-Match": tag})

    assert (status, body) == (200, b"[]")
    assert "ETag" not in headers


async def test_tags_can_be_switched_at_run_time(shop: Shop) -> None:
    await shop.admin.settings(etags=True)
    assert await tag_of(shop, "/carts")

    await shop.admin.settings(etags=False)
    assert "ETag" not in (await shop.get("/carts"))[2]


async def test_a_date_is_sent_once_its_second_is_over_and_fits_until_the_next_change(
    start_shop: StartShop,
) -> None:
    clock = StandingClock()
    shop = await start_shop(Options(etags=True), clock)
    clock.moment += timedelta(seconds=0.9)
    assert "Last-Modified" not in (await shop.get("/carts"))[2]

    clock.moment += timedelta(seconds=5)
    date = (await shop.get("/carts"))[2]["Last-Modified"]
    assert date == "Tue, 24 Nov 2026 12:00:01 GMT"
    assert (await shop.get("/carts", **{"If-Modified-Since": date}))[0] == 304
    assert (await shop.get("/carts", **{"If-Modified-Since": "Tue, 24 Nov 2026 11:59:59 GMT"}))[0] == 200
    assert (await shop.get("/carts", **{"If-Modified-Since": "soon"}))[0] == 200

    await shop.admin.change(1)
    assert (await shop.get("/carts", **{"If-Modified-Since": date}))[0] == 200
    clock.moment += timedelta(seconds=5)
    assert (await shop.get("/carts", **{"If-Modified-Since": date}))[0] == 200
    assert (await shop.get("/users", **{"If-Modified-Since": date}))[0] == 304


async def test_a_tag_counts_more_than_a_date(start_shop: StartShop) -> None:
    clock = StandingClock()
    shop = await start_shop(Options(etags=True), clock)
    clock.moment += timedelta(seconds=5)
    date = (await shop.get("/carts"))[2]["Last-Modified"]

    status, _, _ = await shop.get("/carts", **{"If-None-Match": '"other"', "If-Modified-Since": date})

    assert status == 200
