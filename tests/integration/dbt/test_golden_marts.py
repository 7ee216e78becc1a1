"""The marts of the real data, to the cent, and dbt's other commands against them."""

import hashlib

import pytest

from localcloud.fakestore.data import real_records
from support import golden

from .conftest import Built
from .warehouse import Warehouse


@pytest.fixture
def marts(golden_build: Built) -> Warehouse:
    return golden_build.warehouse


def test_a_build_on_the_real_data_passes_every_model_and_test(golden_build: Built) -> None:
    summary = golden_build.summary
    assert summary["verdict"] == "ok"
    assert summary["failed"] == []
    # dbt counts the dashboards that are made of the marts, and does nothing with them.
    assert set(summary["counts"]) == {"success", "pass", "no-op"}


def test_a_build_leaves_nothing_in_the_project(golden_build: Built) -> None:
    assert golden_build.left_in_project == set()


def test_orders_have_the_lines_items_and_revenue_of_the_source(marts: Warehouse) -> None:
    [row] = marts.query(
        "select count(*) as n, sum(quantity) as items, sum(amount) as revenue, count(distinct user_key) as users, "
        "count(distinct order_date) as days from {marts}.fact_orders"
    )
    assert row == {
        "n": golden.LINES,
        "items": golden.ITEMS,
        "revenue": golden.REVENUE,
        "users": golden.USERS_WITH_CARTS,
        "days": golden.CART_DATES,
    }


def test_each_cart_has_the_items_and_the_value_of_the_source(marts: Warehouse) -> None:
    rows = marts.query(
        "select cart_id, sum(quantity) as items, sum(amount) as value from {marts}.fact_orders group by cart_id"
    )
    assert {row["cart_id"]: row["items"] for row in rows} == golden.ITEMS_BY_CART
    assert {row["cart_id"]: row["value"] for row in rows} == golden.VALUE_BY_CART


def test_products_are_those_of_the_source_and_one_unknown_member(marts: Warehouse) -> None:
    known = marts.query("select category, price, title from {marts}.dim_products where product_key != 'unknown'")
    assert len(known) == golden.PRODUCTS
    assert sum(row["price"] for row in known) == golden.PRICE_SUM
    assert {row["title"] for row in known} == {product["title"].strip() for product in real_records("products")}
    assert marts.query("select product_id, price from {marts}.dim_products where product_key = 'unknown'") == [
        {"product_id": None, "price": None}
    ]


def test_users_keep_their_city_and_of_their_e_mail_only_a_hash(marts: Warehouse) -> None:
    rows = marts.query("select * from {marts}.dim_users where user_key != 'unknown'")
    assert {(row["user_id"], row["city"], row["email_sha256"]) for row in rows} == {
        (user["id"], user["address"]["city"], hashlib.sha256(user["email"].lower().encode()).hexdigest())
        for user in real_records("users")
    }
    assert set(rows[0]) == {"user_key", "user_id", "source", "email_sha256", "city", "is_active", "loaded_at"}


def test_the_calendar_covers_every_order_without_a_gap(marts: Warehouse) -> None:
    [row] = marts.query(
        "select count(*) as days, min(date_day) as first_day, max(date_day) as last_day, "
        "countif(is_weekend != (iso_day_of_week in (6, 7))) as wrong from {marts}.dim_dates where is_known"
    )
    assert row["days"] == (row["last_day"] - row["first_day"]).days + 1
    assert row["first_day"].isoformat() == "2020-01-01"
    assert row["wrong"] == 0
    assert marts.one("select iso_day_of_week from {marts}.dim_dates where date_day = '2020-03-02'") == 1


def test_orders_are_partitioned_by_day_and_every_column_is_described(marts: Warehouse) -> None:
    table = marts.client.get_table(f"{marts.project}.{marts.analytics}.fact_orders")
    assert table.time_partitioning.field == "order_date"
    assert table.clustering_fields == ["product_id", "user_id"]
    assert table.description.startswith("One row for each cart and product of the latest version of each cart")
    assert [column.name for column in table.schema if not column.description] == []


def test_events_begin_with_nothing_and_end_with_what_the_source_has(marts: Warehouse) -> None:
    [row] = marts.query(
        "select count(*) as n, sum(items_before) as before, sum(items_after) as items, sum(amount_after) as amount "
        "from {marts}.fact_cart_events"
    )
    assert row == {"n": golden.CARTS, "before": 0, "items": golden.ITEMS, "amount": golden.REVENUE}


@pytest.mark.parametrize(
    ("mart", "revenue"),
    [
        ("mart_sales_daily", "revenue"),
        ("mart_product_performance", "revenue"),
        ("mart_customer_value", "monetary"),
        ("mart_cart_funnel", "amount"),
    ],
)
def test_every_mart_has_the_items_and_the_revenue_of_the_source(marts: Warehouse, mart: str, revenue: str) -> None:
    [row] = marts.query(f"select sum(items) as items, sum({revenue}) as revenue from {{marts}}.{mart}")  # noqa: S608 - names of the test's own
    assert row == {"items": golden.ITEMS, "revenue": golden.REVENUE}


def test_each_mart_has_its_grain(marts: Warehouse) -> None:
    assert marts.one("select count(*) from {marts}.mart_sales_daily") == golden.CART_DATES
    assert marts.one("select sum(carts) from {marts}.mart_sales_daily") == golden.CARTS
    assert marts.one("select count(*) from {marts}.mart_product_performance") == golden.PRODUCTS + 1
    assert marts.one("select count(*) from {marts}.mart_customer_value") == golden.USERS_WITH_CARTS
    assert marts.one("select sum(created) from {marts}.mart_cart_funnel") == golden.CARTS


@pytest.mark.long
def test_dbts_other_commands_work_one_after_the_other_in_one_process(marts: Warehouse) -> None:
    done = marts.dbt_commands(
        [
            ["debug"],
            ["run", "--select", "stg_products"],
            ["docs", "generate"],
            ["list", "--", "--no-such-option"],
            ["run-operation", "list_models"],
        ]
    )
    assert [line for line in done.stdout.splitlines() if line.startswith("exit code")] == [
        "exit code 0 of debug",
        "exit code 0 of run --select stg_products",
        "exit code 0 of docs generate",
        "exit code 64 of list -- --no-such-option",
        "exit code 0 of run-operation list_models",
    ], done.stdout + done.stderr
    assert "--no-such-option" in done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if f"{marts.analytics}." in line}
    assert set(lines) >= {"stg_products", "stg_users", "stg_cart_events", "dim_products", "dim_users", "fact_orders"}
    assert lines["fact_orders"].split(maxsplit=3)[1:3] == ["incremental", f"{marts.analytics}.fact_orders"]
    assert "One row for each cart and product" in lines["fact_orders"]
    target = marts.folder / "target"
    assert {"manifest.json", "catalog.json", "index.html"} <= {path.name for path in target.iterdir()}
    assert (target / "logs" / "dbt.log").is_file()
