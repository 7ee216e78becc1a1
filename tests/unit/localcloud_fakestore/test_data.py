"""The built-in records are those of the real service."""

from decimal import Decimal
from typing import Any

import pytest

from localcloud.fakestore.data import ENTITIES, Entity, compact, real_records
from support import golden


def price(product: dict[str, Any]) -> Decimal:
    return Decimal(str(product["price"]))


def test_counts_are_golden() -> None:
    assert [len(real_records(entity)) for entity in ENTITIES] == [golden.PRODUCTS, golden.USERS, golden.CARTS]


@pytest.mark.parametrize("entity", ENTITIES)
def test_ids_run_from_one_without_a_gap(entity: Entity) -> None:
    records = real_records(entity)

    assert [record["id"] for record in records] == list(range(1, len(records) + 1))


def test_products_sum_to_the_golden_price_in_the_golden_categories() -> None:
    products = real_records("products")
    categories = [product["category"] for product in products]

    assert sum(map(price, products)) == golden.PRICE_SUM
    assert {name: categories.count(name) for name in categories} == golden.PRODUCTS_BY_CATEGORY


def test_each_cart_has_its_golden_items_and_value() -> None:
    prices = {product["id"]: price(product) for product in real_records("products")}
    carts = {cart["id"]: cart["products"] for cart in real_records("carts")}

    assert {cart: sum(line["quantity"] for line in lines) for cart, lines in carts.items()} == golden.ITEMS_BY_CART
    values = {
        cart: sum((line["quantity"] * prices[line["productId"]] for line in lines), Decimal())
        for cart, lines in carts.items()
    }
    assert values == golden.VALUE_BY_CART
    assert sum(values.values()) == golden.REVENUE


def test_lines_items_users_and_dates_are_golden() -> None:
    carts = real_records("carts")
    lines = [line for cart in carts for line in cart["products"]]

    assert len(lines) == golden.LINES
    assert sum(line["quantity"] for line in lines) == golden.ITEMS
    assert len({cart["userId"] for cart in carts}) == golden.USERS_WITH_CARTS
    assert len({cart["date"][:10] for cart in carts}) == golden.CART_DATES


def test_integers_and_floats_stay_mixed_as_in_the_source() -> None:
    products = real_records("products")

    assert {product["id"] for product in products if isinstance(product["price"], int)} == golden.INTEGER_PRICES
    assert [product["id"] for product in products if isinstance(product["rating"]["rate"], int)] == [7]
    assert b'"price":695,' in compact(products[4])
    assert b'"price":22.3,' in compact(products[1])


def test_titles_keep_their_trailing_spaces_and_text_that_is_not_ascii() -> None:
    products = real_records("products")

    assert [product["id"] for product in products if product["title"].endswith(" ")] == [2, 6, 9, 14, 18]
    assert "\N{EN DASH}".encode() in compact(products[13])


def test_users_have_text_coordinates_a_plain_password_and_a_version_key() -> None:
    for user in real_records("users"):
        place = user["address"]["geolocation"]
        assert isinstance(place["lat"], str)
        assert isinstance(place["long"], str)
        assert isinstance(user["address"]["number"], int)
        assert user["password"] == f"{golden.PASSWORD_MARK}{user['id']}"
        assert user["__v"] == 0
