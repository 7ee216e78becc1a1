"""Write, audit, publish: readers see marts that passed every test, or those of before."""

from typing import Any

import pytest

from support import golden

from .conftest import Built, NewWarehouse
from .raw_rows import event_row
from .warehouse import Warehouse

RAW = ("Products", "Users", "carts_events")
#: Enough to see the audit at work; every test runs on the golden build.
AUDIT = ("build", "--exclude", "test_name:not_null", "test_name:unique", "test_name:relationships")
BAD_CART = 60


def _tables(warehouse: Warehouse) -> set[str]:
    return {table.table_id for table in warehouse.client.list_tables(f"{warehouse.project}.{warehouse.analytics}")}


def _published(warehouse: Warehouse) -> list[dict[str, Any]]:
    return warehouse.query(
        "select (select sum(amount) from {marts}.fact_orders) as revenue, "
        "(select count(*) from {marts}.fact_cart_events) as events, "
        "(select sum(created) from {marts}.mart_cart_funnel) as carts"
    )


GOLDEN = [{"revenue": golden.REVENUE, "events": golden.CARTS, "carts": golden.CARTS}]


@pytest.fixture(scope="module")
def published(new_warehouse: NewWarehouse, golden_build: Built) -> Warehouse:
    """Return a warehouse whose published marts are those of the real data, and then a bad load came."""
    warehouse, good = new_warehouse(), golden_build.warehouse
    for name in RAW:
        warehouse.query(f"insert into {{raw}}.{name} select * from {good.raw}.{name}")  # noqa: S608 - our own names
    for name in sorted(_tables(good)):
        if name.startswith(("dim_", "fact_", "mart_", "snap_")):
            warehouse.query(f"create table {{marts}}.{name} as select * from {good.analytics}.{name}")  # noqa: S608 - likewise
    # Its lines don't sum to its total: only a test of the finished mart can see that.
    warehouse.insert("carts_events", [event_row(BAD_CART, {1: 1}, total_items=5)])
    return warehouse


@pytest.fixture(scope="module")
def refused(published: Warehouse) -> dict[str, Any]:
    return published.build(*AUDIT[1:])


def test_a_bad_load_never_reaches_the_published_marts(published: Warehouse, refused: dict[str, Any]) -> None:
    assert refused["verdict"] == "data_wrong"
    assert [node["name"] for node in refused["failed"]] == ["assert_lines_sum_to_the_total_of_their_cart"]
    assert _published(published) == GOLDEN


def test_the_marts_that_failed_their_audit_can_be_looked_at(published: Warehouse, refused: dict[str, Any]) -> None:
    del refused
    assert published.one(f"select count(*) from {{marts}}.fact_orders__audit where cart_id = {BAD_CART}") == 1  # noqa: S608 - a number


def test_a_good_build_leaves_no_audited_table(golden_build: Built) -> None:
    assert {name for name in _tables(golden_build.warehouse) if name.endswith("__audit")} == set()


@pytest.mark.long
def test_when_the_load_is_mended_the_next_build_publishes_as_if_nothing_had_been(
    published: Warehouse, refused: dict[str, Any], new_warehouse: NewWarehouse, golden_build: Built
) -> None:
    del refused, new_warehouse, golden_build
    published.query(f"delete from {{raw}}.carts_events where cart_id = {BAD_CART}")  # noqa: S608 - a number
    published.insert("carts_events", [event_row(BAD_CART, {1: 1})])
    assert published.build(*AUDIT[1:])["verdict"] == "ok"
    [row] = _published(published)
    assert (row["events"], row["carts"]) == (golden.CARTS + 1, golden.CARTS + 1)
    assert {name for name in _tables(published) if name.endswith("__audit")} == set()
