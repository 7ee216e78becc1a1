"""Runs from a shop to bucket and tables: what they leave there, however often and however badly they went."""

import asyncio
import gzip
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from google.api_core import exceptions as google

from batch_ingest.entities import ENTITIES
from batch_ingest.guards import RefusedError
from dataplatform.envelope import read_lines
from dataplatform.errors import BusyError, UnavailableError
from localcloud.fakestore.misbehaviour import Kind
from support import golden

from .conftest import DAY, World

COUNTS = {"products": golden.PRODUCTS, "users": golden.USERS}


async def prices(world: World) -> Decimal:
    return sum((row["price"] for row in await world.current("Products")), Decimal())


async def test_products_and_users_of_the_real_data_are_in_the_tables_and_in_the_raw_zone(world: World) -> None:
    reports = {name: await world.load(name) for name in COUNTS}

    products, users = await world.rows("Products"), await world.rows("Users")
    assert {name: report.loaded_count for name, report in reports.items()} == COUNTS
    assert (len(products), len(users), await prices(world)) == (golden.PRODUCTS, golden.USERS, golden.PRICE_SUM)
    categories = [row["category"] for row in products]
    assert {name: categories.count(name) for name in categories} == golden.PRODUCTS_BY_CATEGORY
    for row in products + users:
        name = row["raw_uri"].removeprefix(f"gs://{world.platform.bucket_name}/")
        found = await world.zone.read(name)
        assert found is not None
        lines = {json.loads(line.payload)["id"]: line for line in read_lines(gzip.decompress(found.data))}
        assert json.loads(lines[row["id"]].payload) == row["payload"]
        assert lines[row["id"]].fields["_digest"] == row["_digest"]
        assert (row["run_id"], row["_deleted"]) == (reports["products" if "title" in row else "users"].run_id, False)


@pytest.mark.long
async def test_ten_runs_leave_the_same_rows_and_the_same_objects_as_one(world: World) -> None:
    for name in COUNTS:
        await world.load(name)
    rows, objects = await world.rows("Products"), await world.objects()

    again = [await world.load(name) for _ in range(9) for name in COUNTS]

    assert (await world.rows("Products"), await world.objects()) == (rows, objects)
    assert len(await world.rows("Users")) == golden.USERS
    assert [report.job_ids for report in again] == [[]] * 18
    audit = await world.rows("load_audit")
    assert [row["outcome"] for row in audit] == ["loaded"] * 20
    assert {row["loaded_count"] for row in audit} == set(COUNTS.values())


async def test_another_day_is_another_run_that_leaves_rows_alone_that_did_not_change(world: World) -> None:
    first = await world.load("products")
    await world.shop.patch("products", 1, price=7)
    second = await world.load("products", date(2026, 11, 25))

    rows = {row["id"]: row for row in await world.rows("Products")}
    assert first.run_id != second.run_id
    assert {number for number, row in rows.items() if row["run_id"] == second.run_id} == {1}
    assert rows[1]["valid_from"] == rows[1]["ingested_at"] > rows[2]["valid_from"]
    assert len(rows) == golden.PRODUCTS == second.loaded_count


@pytest.mark.long
async def test_a_change_that_is_taken_back_on_the_same_day_ends_with_the_first_rows(world: World) -> None:
    first = await world.load("products")
    for _ in range(2):
        await world.shop.patch("products", 1, price=1_000_000)
        changed = await world.load("products")
        assert await prices(world) > golden.PRICE_SUM
        await world.shop.reset()
        back = await world.load("products")
        assert await prices(world) == golden.PRICE_SUM
        assert back.run_id == first.run_id != changed.run_id


async def test_removed_products_leave_the_table_and_new_ones_enter_it(world: World) -> None:
    await world.load("products")
    await world.shop.delete("products", 3)
    new = {"title": "Lamp", "price": 7.25, "category": "light", "loyalty": {"tier": "gold"}}
    added = await world.shop.put("products", new)

    await world.load("products")

    rows = {row["id"]: row for row in await world.rows("Products")}
    assert {number for number, row in rows.items() if not row["_deleted"]} == (
        {*range(1, golden.PRODUCTS + 1), added["id"]} - {3}
    )
    assert rows[added["id"]]["payload"] == added
    assert rows[3]["valid_from"] == rows[added["id"]]["valid_from"] > rows[3]["ingested_at"]


@pytest.mark.long
async def test_a_product_that_comes_back_is_a_row_again(world: World) -> None:
    await world.load("products")
    before = await world.rows("Products")
    await world.shop.delete("products", 3)
    await world.load("products")
    await world.shop.reset()
    back = await world.load("products", date(2026, 11, 25))

    rows = {row["id"]: row for row in await world.rows("Products")}
    assert (rows[3]["_deleted"], rows[3]["run_id"]) == (False, back.run_id)
    assert [row for number, row in rows.items() if number != 3] == [row for row in before if row["id"] != 3]


async def test_an_incremental_load_changes_what_changed_and_nothing_else(world: World) -> None:
    await world.load("products", mode="incremental")
    before = {row["id"]: row for row in await world.rows("Products")}
    await world.shop.patch("products", 1, price=7)
    await world.shop.delete("products", 3)
    added = await world.shop.put("products", {"title": "Lamp", "price": 7.25, "category": "light"})

    report = await world.load("products", date(2026, 11, 25), mode="incremental")

    after = {row["id"]: row for row in await world.rows("Products")}
    assert report.loaded_count == golden.PRODUCTS
    assert {number for number, row in after.items() if row != before.get(number)} == {1, 3, added["id"]}
    assert (
        (after[1]["price"], after[1]["run_id"])
        == (7, report.run_id)
        == (after[1]["price"], after[added["id"]]["run_id"])
    )
    assert (after[3]["_deleted"], after[3]["run_id"]) == (True, before[3]["run_id"])
    job = world.bigquery.get_job(report.job_ids[0])
    assert (job.job_type, job.output_rows) == ("load", 2)


async def test_small_parts_make_several_objects_and_the_same_rows(world: World) -> None:
    report = await world.load("products", part_max_bytes=4_000)

    assert len(report.objects) > 3
    assert await prices(world) == golden.PRICE_SUM


async def test_of_two_runs_at_once_one_does_the_work_and_the_other_finds_it_done(world: World) -> None:
    reports = await asyncio.gather(*(world.load("users") for _ in range(2)))

    assert {report.loaded_count for report in reports} == {golden.USERS}
    assert len({report.run_id for report in reports}) == 1
    assert sorted(bool(report.job_ids) for report in reports) == [False, True]
    assert len(await world.rows("Users")) == golden.USERS
    assert len([name for name in await world.objects() if name.startswith("users/")]) == 1


class Refusing:
    """A BigQuery that permits nothing."""

    def query_and_wait(self, *_: Any, **__: Any) -> Any:
        raise google.Forbidden("no", errors=[{"reason": "accessDenied"}])

    load_table_from_uri = load_table_from_json = query_and_wait


async def test_a_run_that_may_not_wait_leaves_when_another_one_is_at_work(world: World) -> None:
    outcomes = await asyncio.gather(
        *(world.load("users", lease_wait_seconds=0) for _ in range(2)), return_exceptions=True
    )

    (busy,) = [outcome for outcome in outcomes if isinstance(outcome, BusyError)]
    assert "is at it, and nothing was done" in str(busy)
    assert len(await world.rows("Users")) == golden.USERS


async def test_a_run_that_failed_between_bucket_and_table_is_finished_by_the_next_one(world: World) -> None:
    with pytest.raises(google.Forbidden):
        await world.batch(warehouse=world.warehouse(Refusing())).run(ENTITIES["products"], DAY)
    left = await world.objects()

    await world.load("products")

    assert any(name.startswith("products/") for name in left)
    assert not any(name.startswith("_manifests/") for name in left)
    (manifest,) = {*await world.objects()} - {*left}
    assert manifest.startswith("_manifests/products/dt=2026-11-24/20261124-")
    assert await prices(world) == golden.PRICE_SUM


@pytest.mark.parametrize(
    ("kind", "guard"), [("empty_list", "no_records"), ("duplicate_ids", "duplicate_ids")], ids=["empty", "duplicates"]
)
async def test_a_refused_load_leaves_the_last_rows_and_says_so_in_the_audit(
    world: World, kind: Kind, guard: str
) -> None:
    loaded = await world.load("products")
    await world.shop.misbehave(kind, routes="/products")

    with pytest.raises(RefusedError, match=f"guard {guard}"):
        await world.load("products")

    rows = await world.rows("Products")
    assert (len(rows), {row["run_id"] for row in rows}) == (golden.PRODUCTS, {loaded.run_id})
    audit = (await world.rows("load_audit", "started_at"))[-1]
    assert (audit["outcome"], audit["loaded_count"], audit["job_ids"]) == ("refused", None, [])
    assert f"guard {guard}" in audit["error"]


async def test_too_many_invalid_records_are_kept_in_the_bucket_and_not_in_the_tables(world: World) -> None:
    await world.shop.misbehave("missing_field", routes="/products")

    with pytest.raises(RefusedError, match="1 of 20 records are invalid, 1 of them with missing_field"):
        await world.load("products", max_invalid_ratio=0.01)

    objects = await world.objects()
    assert {name.split("/")[0] for name in objects} == {"_state", "products", "quarantine"}
    assert await world.rows("quarantine") == await world.rows("Products") == []


async def test_an_invalid_record_is_quarantined_once_and_the_others_are_loaded(world: World) -> None:
    await world.shop.misbehave("wrong_types", routes="/users")

    reports = [await world.load("users") for _ in range(3)]

    assert len(await world.rows("Users")) == golden.USERS - 1
    (row,) = await world.rows("quarantine")
    assert (row["entity"], row["stage"], row["reason"]) == ("users", "parse", "wrong_type")
    found = await world.zone.read(row["raw_uri"].removeprefix(f"gs://{world.platform.bucket_name}/"))
    assert found is not None
    (line,) = read_lines(gzip.decompress(found.data))
    assert line.fields["quarantine_id"] == row["quarantine_id"]
    assert json.loads(line.payload)["email"] == 7
    assert [(report.source_count, report.valid_count, report.quarantined_count) for report in reports] == [
        (10, 9, 1)
    ] * 3
    assert len(reports[0].job_ids) == 3  # quarantine, load, merge
    assert reports[1].job_ids == reports[2].job_ids == []


async def test_an_unknown_field_is_kept_in_the_payload(world: World) -> None:
    await world.shop.misbehave("unknown_field", routes="/*")

    for name in COUNTS:
        await world.load(name)

    for table in ("Products", "Users"):
        assert [row["payload"]["loyalty"] for row in await world.rows(table) if "loyalty" in row["payload"]] == [
            {"tier": "gold", "points": 12.5}
        ]


@pytest.mark.parametrize("kind", ["truncated", "malformed", "null", "empty_body", "status", "reset"])
async def test_a_source_that_gives_no_good_answer_fails_the_run_and_changes_nothing(world: World, kind: Kind) -> None:
    await world.shop.misbehave(kind, routes="/users")

    with pytest.raises(UnavailableError, match="/users failed"):
        await world.load("users")

    assert await world.objects() == []
    (audit,) = await world.rows("load_audit")
    assert (audit["outcome"], audit["run_id"], audit["source_count"]) == ("failed", "20261124", None)
    assert "/users failed" in audit["error"]


async def test_a_source_that_is_away_for_a_moment_is_asked_again(world: World) -> None:
    await world.shop.misbehave("status", status=503, routes="/products", count=1)

    assert (await world.load("products")).loaded_count == golden.PRODUCTS


@pytest.mark.long
async def test_readers_see_one_whole_run_or_the_other_while_the_table_is_replaced(world: World) -> None:
    await world.load("products")
    seen: set[int] = set()
    replaced = asyncio.Event()

    async def look() -> None:
        while not replaced.is_set():
            seen.add(len(await world.current("Products")))

    looking = asyncio.create_task(look())
    for number in (1, 2):
        await world.shop.delete("products", number)
        await world.load("products")
    replaced.set()
    await looking

    assert seen <= set(range(golden.PRODUCTS - 2, golden.PRODUCTS + 1))
    assert len(seen) > 1
