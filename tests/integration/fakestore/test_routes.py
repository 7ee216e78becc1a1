"""Each public route answers as the real service does."""

import json
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from localcloud.fakestore.data import ENTITIES, Entity, compact, real_records
from localcloud.fakestore.options import Options
from support import golden

from .conftest import Shop, StartShop


@pytest.mark.parametrize("entity", ENTITIES)
async def test_a_list_holds_exactly_the_real_records(shop: Shop, entity: Entity) -> None:
    status, body, headers = await shop.get(f"/{entity}")

    assert status == 200
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert body == b"[" + b",".join(compact(record) for record in real_records(entity)) + b"]"


@pytest.mark.parametrize("entity", ENTITIES)
async def test_one_record_is_the_one_of_the_list(shop: Shop, entity: Entity) -> None:
    records = await shop.json(f"/{entity}")

    assert [await shop.json(f"/{entity}/{record['id']}") for record in records] == records


async def test_the_golden_revenue_can_be_computed_from_the_answers(shop: Shop) -> None:
    prices = {product["id"]: Decimal(str(product["price"])) for product in await shop.json("/products")}
    lines = [line for cart in await shop.json("/carts") for line in cart["products"]]

    assert sum(line["quantity"] * prices[line["productId"]] for line in lines) == golden.REVENUE


async def test_categories_are_the_four_sorted(shop: Shop) -> None:
    assert await shop.json("/products/categories") == sorted(golden.PRODUCTS_BY_CATEGORY)


@pytest.mark.parametrize(("category", "count"), golden.PRODUCTS_BY_CATEGORY.items())
async def test_a_category_lists_its_products(shop: Shop, category: str, count: int) -> None:
    products = await shop.json(f"/products/category/{category}")

    assert len(products) == count
    assert {product["category"] for product in products} == {category}


async def test_a_category_takes_limit_and_sort(shop: Shop) -> None:
    assert await shop.ids("/products/category/jewelery?limit=2&sort=desc") == [8, 7]


async def test_an_unknown_category_is_an_empty_list(shop: Shop) -> None:
    assert await shop.json("/products/category/toys") == []


async def test_the_carts_of_a_user_take_dates_but_not_limit_and_sort(shop: Shop) -> None:
    assert await shop.ids("/carts/user/1") == [1, 2]
    assert await shop.ids("/carts/user/1?limit=1&sort=desc") == [1, 2]
    assert await shop.ids("/carts/user/1?startdate=2020-02-01") == [1]
    assert await shop.ids("/carts/user/10") == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [1, 2, 3, 4, 5, 6, 7]),
        ("?limit=3", [1, 2, 3]),
        ("?limit=0", [1, 2, 3, 4, 5, 6, 7]),
        ("?limit=many", [1, 2, 3, 4, 5, 6, 7]),
        ("?sort=desc", [7, 6, 5, 4, 3, 2, 1]),
        ("?sort=up", [1, 2, 3, 4, 5, 6, 7]),
        ("?sort=desc&limit=2", [7, 6]),
        ("?startdate=2020-03-01", [1, 3, 5, 6, 7]),
        ("?enddate=2020-03-01", [2, 4]),
        ("?startdate=2020-01-02&enddate=2020-03-02", [2, 3, 5, 6, 7]),
        ("?startdate=2020-01-02&enddate=2020-03-02&sort=desc&limit=2", [7, 6]),
        ("?startdate=2021-01-01", []),
    ],
)
async def test_parameters_of_carts(shop: Shop, query: str, expected: list[int]) -> None:
    assert await shop.ids(f"/carts{query}") == expected


@pytest.mark.parametrize("entity", ["products", "users"])
async def test_limit_and_sort_of_the_other_lists(shop: Shop, entity: str) -> None:
    count = {"products": golden.PRODUCTS, "users": golden.USERS}[entity]

    assert await shop.ids(f"/{entity}?limit=2") == [1, 2]
    assert await shop.ids(f"/{entity}?sort=desc&limit=2") == [count, count - 1]


@pytest.mark.parametrize("entity", ENTITIES)
@pytest.mark.parametrize("record_id", ["0", "999", "-1", "99999999999999999999999"])
async def test_an_unknown_integer_id_is_null_with_status_200(shop: Shop, entity: str, record_id: str) -> None:
    status, body, _ = await shop.get(f"/{entity}/{record_id}")

    assert (status, body) == (200, b"null")


async def test_an_unknown_id_can_be_an_empty_body(start_shop: StartShop) -> None:
    shop = await start_shop(Options(unknown_id="empty"))

    status, body, _ = await shop.get("/carts/999")

    assert (status, body) == (200, b"")


@pytest.mark.parametrize(
    "path", ["/carts/abc", "/products/1.5", "/users/1e3", "/carts/user/x", "/carts?startdate=soon"]
)
async def test_what_is_no_integer_or_date_is_a_json_error(shop: Shop, path: str) -> None:
    status, body, headers = await shop.get(path)

    assert status == 400
    assert headers["Content-Type"].startswith("application/json")
    assert json.loads(body)["status"] == "error"


@pytest.mark.parametrize("path", ["/carts", "/carts/1", "/products/categories", "/nothing"])
async def test_without_a_user_agent_nobody_gets_in(shop: Shop, path: str) -> None:
    async with (
        aiohttp.ClientSession(skip_auto_headers=["User-Agent"]) as nameless,
        nameless.get(f"{shop.base_url}{path}") as response,
    ):
        assert response.status == 403


async def test_any_other_path_is_not_found(shop: Shop) -> None:
    status, body, _ = await shop.get("/orders")

    assert (status, body) == (404, b"Cannot GET /orders")


@pytest.mark.parametrize(
    ("method", "path", "expected_id"),
    [("POST", "/carts", 8), ("PUT", "/products/3", 3), ("PATCH", "/users/2", 2)],
)
async def test_public_writes_answer_and_store_nothing(shop: Shop, method: str, path: str, expected_id: int) -> None:
    entity = path.split("/")[1]
    before = await shop.get(f"/{entity}")

    async with shop.session.request(method, f"{shop.base_url}{path}", json={"price": 1}) as response:
        assert await response.json() == {"price": 1, "id": expected_id}

    assert (await shop.get(f"/{entity}"))[1] == before[1]


async def test_a_public_delete_answers_the_record_and_keeps_it(shop: Shop) -> None:
    async with shop.session.delete(f"{shop.base_url}/carts/3") as response:
        answered: dict[str, Any] = await response.json()

    assert answered == await shop.json("/carts/3")


async def test_a_public_write_that_is_no_object_is_a_json_error(shop: Shop) -> None:
    async with shop.session.post(f"{shop.base_url}/carts", data=b"[1") as response:
        assert response.status == 400


async def test_a_big_list_is_streamed_whole_in_order(start_shop: StartShop) -> None:
    shop = await start_shop(Options(products=3000, users=2000, carts=5000))

    for entity, count in (("products", 3000), ("users", 2000), ("carts", 5000)):
        status, body, headers = await shop.get(f"/{entity}")
        assert status == 200
        assert headers["Transfer-Encoding"] == "chunked"
        assert [record["id"] for record in json.loads(body)] == list(range(1, count + 1))
    assert await shop.ids("/carts?sort=desc") == list(range(5000, 0, -1))
    assert await shop.ids("/carts?limit=1200&sort=desc") == list(range(5000, 3800, -1))


async def test_searches_of_a_big_shop_find_what_the_list_holds(start_shop: StartShop) -> None:
    shop = await start_shop(Options(products=2000, users=10, carts=5000))
    carts = await shop.json("/carts")

    assert await shop.json("/carts/user/4") == [cart for cart in carts if cart["userId"] == 4]
    in_2021 = [cart for cart in carts if cart["date"].startswith("2021")]
    assert await shop.json("/carts?startdate=2021-01-01&enddate=2022-01-01") == in_2021
    assert await shop.json("/products/categories") == sorted(golden.PRODUCTS_BY_CATEGORY)


async def test_two_runs_of_one_seed_answer_the_same_bytes(start_shop: StartShop) -> None:
    options = Options(products=700, users=600, carts=2000, seed=42)
    first, second = await start_shop(options), await start_shop(options)

    for entity in ENTITIES:
        assert (await first.get(f"/{entity}"))[1] == (await second.get(f"/{entity}"))[1]


@pytest.mark.parametrize("size", [0, 3])
async def test_a_shop_can_be_smaller_than_the_real_one(start_shop: StartShop, size: int) -> None:
    shop = await start_shop(Options(products=size, users=size, carts=size))

    for entity in ENTITIES:
        assert await shop.ids(f"/{entity}") == list(range(1, size + 1))
