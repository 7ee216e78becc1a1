"""Whatever happened to the shop: full and incremental loads end in the same table, and dying changes nothing."""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplatform.errors import InvalidDataError

from .records import DAY, product
from .world import DeathError, World

#: What the shop has on a run, by id and price, in any order; a run is on the same day as the one before or later.
SHOP = st.dictionaries(st.integers(1, 12), st.integers(1, 3), min_size=1, max_size=12)
HISTORY = st.lists(st.tuples(SHOP, st.integers(0, 1), st.randoms(use_true_random=False)), min_size=1, max_size=6)
ALLOWED = ("too_few",)


def records(shop: dict[int, int]) -> list[dict[str, Any]]:
    return [product(id=number, price=price) for number, price in shop.items()]


def played(history: Sequence[tuple[dict[int, int], int, Any]], modes: Sequence[str]) -> World:
    world = World()
    day = DAY
    for (shop, days, random), mode in zip(history, modes, strict=True):
        day += timedelta(days=days)
        listed = records(shop)
        random.shuffle(listed)
        asyncio.run(world.load(listed, day, mode=mode, allowed=ALLOWED))
    return world


def both_end_the_same(history: Sequence[tuple[dict[int, int], int, Any]], modes: Sequence[str]) -> None:
    full, other = played(history, ["full"] * len(history)), played(history, modes)

    assert other.content == full.content
    present = {number: row["payload"]["price"] for number, row in other.content.items() if not row["_deleted"]}
    assert present == history[-1][0]
    assert [row["loaded_count"] for row in other.tables.audits] == [len(shop) for shop, _, _ in history]


MODES = st.lists(st.sampled_from(["full", "incremental"]), min_size=6, max_size=6)


@settings(max_examples=20, deadline=None)
@given(HISTORY, MODES)
def test_both_modes_end_in_the_same_table(history: Any, modes: list[str]) -> None:
    both_end_the_same(history, modes[: len(history)])
    both_end_the_same(history, ["incremental"] * len(history))


@pytest.mark.long
@settings(max_examples=200, deadline=None)
@given(HISTORY, MODES)
def test_both_modes_end_in_the_same_table_in_many_histories(history: Any, modes: list[str]) -> None:
    both_end_the_same(history, modes[: len(history)])
    both_end_the_same(history, ["incremental"] * len(history))


BEFORE = dict.fromkeys(range(1, 10), 1)
AFTER = {**dict.fromkeys(range(2, 9), 1), 3: 2, 10: 1}
BROKEN = {"id": 99}


async def lived(world: World, mode: str) -> None:
    """Load one day, and then another that changes, adds and removes, with an invalid record."""
    await world.load([*records(BEFORE), BROKEN], mode=mode)
    await second(world, mode)


async def second(world: World, mode: str) -> None:
    await world.load([*records(AFTER), BROKEN], DAY + timedelta(days=1), mode=mode)


@pytest.mark.parametrize("mode", ["full", "incremental"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_run_that_dies_at_any_step_and_is_repeated_ends_in_the_same_table(mode: str, after: bool) -> None:
    whole = World()
    await lived(whole, mode)
    steps = whole.steps.taken
    assert steps > 20
    for step in range(1, steps + 1):
        world = World()
        world.steps.dies_at, world.steps.after = step, after
        with contextlib.suppress(DeathError):
            await lived(world, mode)
        world.steps.dies_at = None
        if len(world.runs) < 2:
            await lived(world, mode)
        else:
            await second(world, mode)
        for number, row in world.content.items():
            expected = whole.content[number]
            moving = {"run_id", "ingested_at", "valid_from"}
            assert {k: v for k, v in row.items() if k not in moving} == {
                k: v for k, v in expected.items() if k not in moving
            }, f"died at step {step}"
        manifests = [name for name in world.zone.objects if name.startswith("_manifests/")]
        assert len(manifests) == 2, f"died at step {step}"
        rows = [row["quarantine_id"] for rows in world.tables.quarantined.values() for row in rows]
        assert len(rows) == 2, f"died at step {step}"


async def test_a_load_that_was_cut_off_is_followed_by_a_full_one_whatever_came_since() -> None:
    world = World()
    await world.load(records(BEFORE), mode="incremental")
    world.steps.taken, world.steps.dies_at, world.steps.after = 0, None, True
    merge = world.tables.merge

    async def dies(*given: Any, **named: Any) -> Any:
        await merge(*given, **named)
        raise DeathError

    world.tables.merge = dies  # type: ignore[method-assign]  # this one merge is the last thing that the process does
    with pytest.raises(DeathError):
        await world.load(records(AFTER), DAY + timedelta(days=1), mode="incremental")
    world.tables.merge = merge  # type: ignore[method-assign]  # the next process merges as ever

    await world.load(records(BEFORE), DAY + timedelta(days=2), mode="incremental")

    assert {number for number, row in world.content.items() if not row["_deleted"]} == set(BEFORE)
    assert world.content[3]["payload"]["price"] == 1


async def test_one_changed_record_of_a_hundred_loads_less_than_a_twentieth_of_the_bytes() -> None:
    def shop(price: int) -> list[dict[str, Any]]:
        plain = [product(id=n, description=f"Number {n * 7919 % 10_007} of its kind " * 8) for n in range(2_000)]
        return [{**each, "price": price} if each["id"] % 100 == 7 else each for each in plain]

    world = World()
    await world.load(shop(1), mode="incremental", part_max_bytes=1 << 20)
    full = world.tables.loaded_bytes
    await world.load(shop(2), DAY + timedelta(days=1), mode="incremental", part_max_bytes=1 << 20)

    assert 0 < world.tables.loaded_bytes - full < 0.05 * full


async def test_an_incremental_run_of_nothing_new_loads_nothing() -> None:
    world = World()
    await world.load(records(BEFORE), mode="incremental")
    report = await world.load(records(BEFORE), DAY + timedelta(days=1), mode="incremental")

    assert (report.job_ids, report.loaded_count, world.tables.merges) == ([], len(BEFORE), 1)
    assert {row["run_id"] for row in world.content.values()} != {report.run_id}


async def test_the_raw_zone_has_all_records_of_an_incremental_run() -> None:
    world = World()
    await world.load(records(BEFORE), mode="incremental")
    report = await world.load(records(AFTER), DAY + timedelta(days=1), mode="incremental")

    manifest = json.loads(world.zone.objects[f"_manifests/products/dt=2026-11-25/{report.run_id}.json"].data)
    assert sum(part["count"] for part in manifest["parts"]) == len(AFTER)
    assert sum(part["count"] for part in manifest["parts"] if part["changed"]) == 2


async def test_more_removed_ids_than_fit_are_loaded_in_full() -> None:
    world = World()
    await world.load(records(BEFORE), mode="incremental")
    before = world.tables.loaded_bytes
    await world.load(records({1: 1}), DAY + timedelta(days=1), mode="incremental", max_removed_ids=7, allowed=ALLOWED)

    assert world.tables.loaded_bytes > before
    assert [number for number, row in world.content.items() if not row["_deleted"]] == [1]


async def test_a_table_that_somebody_changed_is_loaded_in_full() -> None:
    world = World()
    await world.load(records(BEFORE), mode="incremental")
    del world.tables.table[4]
    await world.load(records(BEFORE), mode="incremental")

    assert set(world.content) == set(BEFORE)


async def test_the_same_content_on_the_same_day_makes_the_same_objects_in_either_mode() -> None:
    for mode in ("full", "incremental"):
        world = World()
        await world.load(records(BEFORE), mode=mode)
        await world.load(records(AFTER), DAY + timedelta(days=1), mode=mode)
        objects = {name for name in world.zone.objects if "table.json" not in name}
        await world.load(records(AFTER), DAY + timedelta(days=1), mode=mode)
        assert {name for name in world.zone.objects if "table.json" not in name} == objects


async def test_duplicate_ids_that_are_let_through_are_one_row_each() -> None:
    world = World()
    report = await world.load([*records(BEFORE), product(id=3, price=9)], allowed=("duplicate_ids",))

    assert (report.valid_count, report.loaded_count, len(world.content)) == (10, 9, 9)


async def test_an_empty_answer_that_is_let_through_leaves_no_record_that_counts() -> None:
    world = World()
    await world.load(records(BEFORE))
    report = await world.load([], DAY + timedelta(days=1), allowed=("no_records", "too_few", "schema_changed"))

    assert report.loaded_count == 0
    assert all(row["_deleted"] for row in world.content.values())


async def test_an_object_of_quarantine_that_is_gone_is_told() -> None:
    world = World()
    await world.load([*records(BEFORE), BROKEN])
    for name in [name for name in world.zone.objects if name.startswith("quarantine/")]:
        del world.zone.objects[name]

    with pytest.raises(InvalidDataError, match="is not there any more"):
        await world.load([*records(BEFORE), BROKEN])
