"""Any sequence of incremental runs gives the tables of a full refresh.

Events come late, out of order and several times; versions are observed in another order than they have; carts lose
lines, move to other days, are deleted and come again; prices change, products appear after their orders and go.
Each shop of one warehouse is a history of its own, so that one run of dbt serves them all.
"""

import hashlib
import json
from collections import defaultdict
from typing import Any

import pytest

from .conftest import NewWarehouse
from .histories import BACKFILL_FROM, BACKFILL_TO, Arrivals, arrivals
from .raw_rows import Row
from .session import DbtSession
from .warehouse import Warehouse

FACTS = {"fact_orders": "order_key", "fact_cart_events": "event_id"}
FIRST = ("build", "--select", "+fact_orders")
#: Views stay as the first run made them.
BUILD = ("build", "--select", "snap_products", "snap_users", "dim_users", *FACTS)
NO_TESTS = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")

type Hashes = dict[tuple[str, str], tuple[int, str]]


def test_incremental_runs_give_what_a_full_refresh_gives(new_warehouse: NewWarehouse) -> None:
    _campaign(new_warehouse(), seed=1, shops=6, runs=2)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("seed", "runs"), [(2, 4), (3, 8)])
def test_hundreds_of_histories_give_what_a_full_refresh_gives(
    new_warehouse: NewWarehouse, seed: int, runs: int
) -> None:
    _campaign(new_warehouse(), seed=seed, shops=150, runs=runs)


def _campaign(warehouse: Warehouse, *, seed: int, shops: int, runs: int) -> None:
    slices = arrivals(seed, shops=shops, runs=runs)
    with DbtSession(warehouse) as dbt:
        for each in slices:
            _arrive(warehouse, each)
            dbt.run(*(BUILD if each is not slices[0] else FIRST), *NO_TESTS)
        incremental = _hashes(warehouse)
        days = {"backfill_from": f"{BACKFILL_FROM:%Y-%m-%d}", "backfill_to": f"{BACKFILL_TO:%Y-%m-%d}"}
        dbt.run(*BUILD, *NO_TESTS, "--vars", json.dumps(days))
        backfilled = _hashes(warehouse)
        dbt.run(*BUILD, *NO_TESTS, "--full-refresh")
    full = _hashes(warehouse)
    assert len(full) == len(FACTS) * shops
    assert _differing(backfilled, full) == []
    # What came in time needed no backfill.
    late = {source for _, source in _differing(incremental, full)}
    assert {source for source in late if int(source.removeprefix("shop")) % 2 == 0} == set()
    _orders_are_those_of_the_latest_versions(warehouse, slices)


def _arrive(warehouse: Warehouse, each: Arrivals) -> None:
    for table, rows in (("Products", each.products), ("Users", each.users)):
        warehouse.query(f"delete from {{raw}}.{table} where true")  # noqa: S608 - a name of the test's own
        warehouse.insert(table, rows)
    warehouse.insert("carts_events", each.events)


def _hashes(warehouse: Warehouse) -> Hashes:
    found: Hashes = {}
    for fact, key in FACTS.items():
        rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in warehouse.query(f"select * from {{marts}}.{fact} order by source, {key}"):  # noqa: S608 - likewise
            rows[row["source"]].append(row)
        for source, theirs in rows.items():
            text = json.dumps(theirs, default=str, sort_keys=True)
            found[fact, source] = (len(theirs), hashlib.sha256(text.encode()).hexdigest())
    # A shop whose carts are all deleted has no orders.
    for _, source in list(found):
        found.setdefault(("fact_orders", source), (0, ""))
    return found


def _differing(some: Hashes, others: Hashes) -> list[tuple[str, str]]:
    return sorted(name for name in some.keys() | others.keys() if some.get(name) != others.get(name))


def _orders_are_those_of_the_latest_versions(warehouse: Warehouse, slices: list[Arrivals]) -> None:
    latest: dict[tuple[str, int], Row] = {}
    for event in (event for each in slices for event in each.events):
        cart = (event["source"], event["cart_id"])
        if cart not in latest or _version(event) > _version(latest[cart]):
            latest[cart] = event
    expected: defaultdict[tuple[str, int, int], int] = defaultdict(int)
    for (source, cart_id), event in latest.items():
        for line in event["products"]:
            expected[source, cart_id, line["product_id"]] += line["quantity"]
    rows = warehouse.query("select source, cart_id, product_id, quantity from {marts}.fact_orders")
    assert {(row["source"], row["cart_id"], row["product_id"]): row["quantity"] for row in rows} == expected


def _version(event: Row) -> tuple[int, int]:
    return event["epoch"], event["version"]
