"""The admin routes change what the public routes show."""

import asyncio

import pytest

from localcloud.fakestore.client import FakeStoreAdminError
from localcloud.fakestore.data import ENTITIES, Entity
from localcloud.fakestore.options import Options
from support import golden

from .conftest import Shop, StartShop

CART = {
    "userId": 4,
    "date": "2021-05-06T00:00:00.000Z",
    "products": [{"productId": 2, "quantity": 3}],
    "__v": 0,
}


async def test_a_cart_without_an_id_gets_the_next_one(shop: Shop) -> None:
    assert await shop.admin.put("carts", CART) == {"id": 8, **CART}
    assert await shop.json("/carts/8") == {"id": 8, **CART}
    assert await shop.ids("/carts") == [1, 2, 3, 4, 5, 6, 7, 8]
    assert await shop.ids("/carts/user/4") == [6, 8]


async def test_a_cart_can_be_replaced_and_created_far_away(shop: Shop) -> None:
    await shop.admin.put("carts", {**CART, "id": 3})
    await shop.admin.put("carts", {**CART, "id": 5000})

    assert (await shop.json("/carts/3"))["userId"] == 4
    assert await shop.ids("/carts") == [1, 2, 3, 4, 5, 6, 7, 5000]
    assert await shop.ids("/carts?sort=desc&limit=2") == [5000, 7]
    assert (await shop.admin.put("carts", CART))["id"] == 5001


async def test_a_cart_dated_later_than_now_shows_only_when_asked_for(shop: Shop) -> None:
    await shop.admin.put("carts", {**CART, "date": "2999-01-01T00:00:00.000Z"})

    assert 8 not in await shop.ids("/carts")
    assert 8 in await shop.ids("/carts?enddate=3000-01-01")


@pytest.mark.parametrize("entity", ENTITIES)
async def test_any_record_can_be_patched_and_deleted(shop: Shop, entity: Entity) -> None:
    before = await shop.json(f"/{entity}/2")

    patched = await shop.admin.patch(entity, 2, remark="naïve", price=1.5)
    assert patched == {**before, "remark": "naïve", "price": 1.5}
    assert await shop.json(f"/{entity}/2") == patched

    assert await shop.admin.delete(entity, 2) == patched
    assert await shop.json(f"/{entity}/2") is None
    assert 2 not in await shop.ids(f"/{entity}")


async def test_a_record_is_stored_as_it_is_given_even_when_it_is_wrong(shop: Shop) -> None:
    await shop.admin.put("products", {"id": 21, "price": "free"})

    assert (await shop.json("/products"))[-1] == {"id": 21, "price": "free"}


async def test_a_new_category_shows_among_the_categories(shop: Shop) -> None:
    await shop.admin.patch("products", 1, category='toys "and" more')

    assert 'toys "and" more' in await shop.json("/products/categories")


async def test_random_changes_are_told_and_shown(shop: Shop) -> None:
    before = {cart["id"]: cart for cart in await shop.json("/carts")}

    changed = await shop.admin.change(4)

    after = {cart["id"]: cart for cart in await shop.json("/carts")}
    assert (len(changed.updated), len(changed.created), len(changed.deleted)) == (2, 1, 1)
    assert sorted(after.keys() - before.keys()) == changed.created
    assert sorted(before.keys() - after.keys()) == changed.deleted
    kept = before.keys() & after.keys()
    assert {cart for cart in kept if before[cart] != after[cart]} == set(changed.updated)


async def test_random_changes_can_be_of_one_kind(shop: Shop) -> None:
    changed = await shop.admin.change(7, ["updated"])

    assert sorted(changed.updated) == [1, 2, 3, 4, 5, 6, 7]


async def test_a_reset_forgets_everything(shop: Shop) -> None:
    fresh = await shop.get("/carts")
    await shop.admin.change(5)
    await shop.admin.put("users", {"id": 99})
    await shop.admin.misbehave("status", routes="/users")
    await shop.admin.settings(etags=True, change_rate=100, unknown_id="empty")

    await shop.admin.reset()

    state = await shop.admin.state()
    assert state["changes"] == 0
    assert state["requests"] == {}
    assert state["misbehaviours"] == {"served": {}, "in_force": []}
    assert state["settings"] == {"change_rate": 0.0, "etags": False, "unknown_id": "null"}
    assert (await shop.get("/carts"))[1] == fresh[1]
    assert len(await shop.ids("/users")) == golden.USERS


async def test_after_a_reset_the_same_changes_come_again(shop: Shop) -> None:
    first = await shop.admin.change(6)
    await shop.admin.reset()

    assert await shop.admin.change(6) == first


async def test_the_state_counts_records_changes_and_requests_by_route(shop: Shop) -> None:
    await shop.get("/carts")
    await shop.get("/carts/1")
    await shop.get("/carts/2")
    await shop.get("/carts/user/1")
    await shop.get("/elsewhere")
    await shop.admin.delete("products", 1)

    state = await shop.admin.state()

    assert {entity: state["entities"][entity]["count"] for entity in ENTITIES} == {
        "products": golden.PRODUCTS - 1,
        "users": golden.USERS,
        "carts": golden.CARTS,
    }
    assert state["changes"] == state["entities"]["products"]["changes"] == 1
    assert state["requests"] == {
        "GET /carts": 1,
        "GET /carts/{id}": 2,
        "GET /carts/user/{user}": 1,
        "GET other": 1,
    }


async def test_carts_change_over_time_at_the_rate_asked_for(start_shop: StartShop) -> None:
    shop = await start_shop(Options(carts=1000, change_rate=200))

    async with asyncio.timeout(20):
        while (await shop.admin.state())["changes"] < 40:
            pass

    await shop.admin.settings(change_rate=0)
    before = (await shop.admin.state())["changes"]
    assert len(await shop.ids("/carts")) == (await shop.admin.state())["entities"]["carts"]["count"]
    assert (await shop.admin.state())["changes"] == before


@pytest.mark.parametrize(
    ("method", "path", "body", "sentence"),
    [
        ("POST", "carts", b"{", "The body is not JSON."),
        ("POST", "carts", b"[]", "The body is not a JSON object."),
        ("POST", "carts", b'{"id":"one"}', "id should be a positive integer, not 'one'."),
        ("POST", "carts", b'{"id":true}', "id should be a positive integer, not True."),
        ("POST", "carts", b'{"id":0}', "id should be a positive integer, not 0."),
        ("POST", "carts", b'{"total":NaN}', "The record holds a number or a text that JSON can't carry."),
        ("POST", "carts", b'{"note":"\\ud800"}', "The record holds a number or a text that JSON can't carry."),
        ("POST", "carts", b"[" * 100_000, "The body is not JSON."),
        ("POST", "carts", b"\xff", "The body is not JSON."),
        ("PATCH", "carts/x", b"{}", "id should be a positive integer, not 'x'."),
        ("PATCH", "carts/1", b'{"id":2}', "An id can't be changed."),
        ("POST", "change", b'{"carts":-1}', "carts: Input should be greater than or equal to 0."),
        ("POST", "change", b"{}", "carts: Field required."),
        ("POST", "change", b'{"carts":1,"kinds":[]}', "kinds: List should have at least 1 item"),
        ("POST", "settings", b'{"etags":"yes"}', "etags: Input should be a valid boolean."),
        ("POST", "settings", b'{"colour":1}', "colour: Extra inputs are not permitted."),
    ],
)
async def test_bad_input_is_refused_in_one_sentence(
    shop: Shop, method: str, path: str, body: bytes, sentence: str
) -> None:
    before = await shop.admin.state()

    async with shop.session.request(method, f"{shop.base_url}/_admin/{path}", data=body) as response:
        assert response.status == 400
        error = (await response.json())["error"]

    assert error.startswith(sentence)
    assert error.endswith(".")
    assert await shop.admin.state() == before


@pytest.mark.parametrize("entity", ENTITIES)
async def test_an_unknown_record_is_refused_with_404(shop: Shop, entity: Entity) -> None:
    with pytest.raises(FakeStoreAdminError, match="999") as refused:
        await shop.admin.delete(entity, 999)
    assert refused.value.status == 404
    with pytest.raises(FakeStoreAdminError, match="999"):
        await shop.admin.patch(entity, 999, price=1)
