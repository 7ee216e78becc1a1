"""The marts stay right when the raw tables hold duplicates, late events and carts with strangers in them."""

from decimal import Decimal
from typing import Any

import pytest

from support import golden

from .conftest import NewWarehouse
from .raw_rows import (
    EPOCH,
    deleted_row,
    event_row,
    golden_event_rows,
    golden_product_rows,
    golden_user_rows,
    product_row,
)
from .warehouse import Warehouse

#: The short run meets late, doubled and unordered events in test_histories.
pytestmark = pytest.mark.long

EARLIER, LATER = "2026-11-24T11:00:00Z", "2026-11-24T13:00:00Z"
FIRST_PRODUCT_PRICE = Decimal("109.95")


@pytest.fixture(scope="module")
def marts(new_warehouse: NewWarehouse) -> Warehouse:
    warehouse = new_warehouse()
    warehouse.insert(
        "Products",
        [
            *golden_product_rows(),
            product_row(21, " Added later ", "0.10"),
            product_row(22, "Old", "1.00", ingested_at=EARLIER),
            product_row(22, "New", "2.00", ingested_at=LATER),
        ],
    )
    warehouse.insert("Users", golden_user_rows())
    first, *rest = golden_event_rows()
    warehouse.insert(
        "carts_events",
        [
            # The same event delivered twice, and once more with another message id.
            first,
            first,
            first | {"message_id": "again", "ingested_at": LATER},
            # Cart 7 was deleted; the event of its creation comes last.
            deleted_row(7, version=2, ingested_at=EARLIER),
            *rest,
            # Version 10 arrives before 9 and 2.
            event_row(50, {1: 10}, version=10, event_type="cart_updated", ingested_at=EARLIER),
            event_row(50, {1: 9, 2: 9}, version=9, event_type="cart_updated"),
            event_row(50, {1: 2}, version=2, event_type="cart_updated", ingested_at=LATER),
            # The poller lost its state: version 1 of a later epoch is newer than version 5.
            event_row(51, {1: 5}, version=5, event_type="cart_updated", ingested_at=LATER),
            event_row(51, {1: 1}, epoch=EPOCH + 1, version=1, ingested_at=EARLIER),
            # A product and a user that no batch has loaded, no date, and one product twice.
            event_row(52, [(999, 3), (1, 1), (1, 2)], user_id=777, cart_date=None),
            # A product that came with a later batch than its order.
            event_row(53, {21: 3}),
            # A cart without lines.
            event_row(54, {}),
        ],
    )
    # Every test ran on the golden build; here those that misbehaving rows could trip.
    summary = warehouse.build("--exclude-resource-type", "unit_test", "--exclude", "test_name:not_null")
    assert summary["verdict"] == "ok", summary
    return warehouse


def orders(marts: Warehouse, cart_id: int) -> list[dict[str, Any]]:
    return marts.query(
        "select product_id, product_key, user_key, cast(order_date as string) as day, quantity, unit_price, amount, "  # noqa: S608 - a number of the test's own
        f"cart_version from {{marts}}.fact_orders where cart_id = {cart_id} order by product_id"
    )


def test_an_event_that_was_appended_three_times_counts_once(marts: Warehouse) -> None:
    rows = orders(marts, 1)
    assert sum(row["quantity"] for row in rows) == golden.ITEMS_BY_CART[1]
    assert sum(row["amount"] for row in rows) == golden.VALUE_BY_CART[1]
    assert marts.one("select count(*) from {marts}.stg_cart_events where cart_id = 1") == 1
    assert marts.one("select message_id from {marts}.stg_cart_events where cart_id = 1") != "again"


def test_the_greatest_version_counts_and_not_the_last_arrival(marts: Warehouse) -> None:
    [row] = orders(marts, 50)
    assert (row["quantity"], row["cart_version"]) == (10, 10)
    assert row["amount"] == 10 * FIRST_PRODUCT_PRICE


def test_a_later_epoch_counts_over_every_version_of_an_earlier_one(marts: Warehouse) -> None:
    [row] = orders(marts, 51)
    assert (row["quantity"], row["cart_version"]) == (1, 1)


def test_a_deleted_cart_has_no_orders_whenever_its_creation_arrives(marts: Warehouse) -> None:
    assert orders(marts, 7) == []
    assert marts.one("select is_deleted from {marts}.int_carts_latest where cart_id = 7") is True


def test_a_line_with_strangers_keeps_its_row_without_a_price(marts: Warehouse) -> None:
    known, unknown = orders(marts, 52)
    assert unknown == {
        "product_id": 999,
        "product_key": "unknown",
        "user_key": "unknown",
        "day": "1900-01-01",
        "quantity": 3,
        "unit_price": None,
        "amount": None,
        "cart_version": 1,
    }
    assert (known["product_key"], known["quantity"], known["amount"]) == ("fakestore:1", 3, 3 * FIRST_PRODUCT_PRICE)


def test_an_added_product_prices_the_orders_that_came_before_it(marts: Warehouse) -> None:
    [row] = orders(marts, 53)
    assert (row["unit_price"], row["amount"]) == (Decimal("0.10"), Decimal("0.30"))
    assert marts.one("select title from {marts}.dim_products where product_id = 21") == "Added later"


def test_a_product_that_two_loads_left_is_one_row_with_the_newer_price(marts: Warehouse) -> None:
    assert marts.query("select title, price from {marts}.dim_products where product_id = 22") == [
        {"title": "New", "price": Decimal("2.00")}
    ]


def test_an_empty_cart_exists_without_orders(marts: Warehouse) -> None:
    assert orders(marts, 54) == []
    assert marts.one("select is_deleted from {marts}.int_carts_latest where cart_id = 54") is False


def test_all_else_is_as_in_the_source(marts: Warehouse) -> None:
    rows = marts.query(
        "select cart_id, sum(amount) as value from {marts}.fact_orders where cart_id < 50 group by cart_id"
    )
    expected = {cart: value for cart, value in golden.VALUE_BY_CART.items() if cart != 7}
    assert {row["cart_id"]: row["value"] for row in rows} == expected
