"""Days loaded again from the raw zone: which are loaded, which are left alone, what is missing."""

from collections.abc import Awaitable, Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from batch_ingest.backfill import Backfill
from batch_ingest.entities import ENTITIES
from batch_ingest.guards import RefusedError
from batch_ingest.report import Report
from dataplatform.errors import InvalidDataError, PlatformError

from .records import DAY, product
from .world import World

DAYS = [DAY + timedelta(days=number) for number in range(3)]
SHOPS = [{1: 1, 2: 1}, {1: 2, 3: 1}, {1: 3, 2: 1, 3: 1}]


def records(shop: dict[int, int]) -> list[dict[str, Any]]:
    return [product(id=number, price=price) for number, price in shop.items()]


async def three_days(**settings: Any) -> World:
    world = World()
    for day, shop in zip(DAYS, SHOPS, strict=True):
        await world.load(records(shop), day, **settings)
    world.shop.records = []  # from here on only the raw zone has them
    return world


class Outcomes:
    """Awaits loads as the program does, and remembers how they ended."""

    def __init__(self) -> None:
        self.loaded: list[tuple[date, int]] = []
        self.left = 0
        self.errors: list[PlatformError] = []

    async def one(self, load: Awaitable[Report | None]) -> int:
        try:
            report = await load
        except PlatformError as error:
            self.errors.append(error)
            return error.exit_code
        if report is None:
            self.left += 1
        else:
            self.loaded.append((report.day, len(report.job_ids)))
        return 0


async def backfilled(
    world: World, days: Sequence[date] = DAYS, *, allowed: Sequence[str] = (), today: date = DAYS[-1], **settings: Any
) -> tuple[int, Outcomes]:
    outcomes = Outcomes()
    world.clock.advance(60)
    batch = world.batch(allowed, **settings)
    return await Backfill(batch, ENTITIES["products"], today, parallel=2).run(days, outcomes.one), outcomes


async def test_days_up_to_the_one_that_the_table_holds_are_left_alone() -> None:
    world = await three_days()
    before = world.content

    code, outcomes = await backfilled(world)

    assert (code, outcomes.left, outcomes.loaded) == (0, 2, [(DAYS[2], 0)])
    assert world.content == before


@pytest.mark.parametrize("mode", ["full", "incremental"])
async def test_an_emptied_table_is_filled_again_day_by_day_as_it_was(mode: str) -> None:
    world = await three_days(mode=mode)
    before = world.content
    world.tables.table.clear()

    code, outcomes = await backfilled(world, mode=mode)

    assert (code, [day for day, _ in outcomes.loaded]) == (0, DAYS)
    assert world.content == before


async def test_a_backfill_that_was_cut_off_goes_on_where_it_was() -> None:
    world = await three_days()
    before = world.content
    world.tables.table.clear()
    await backfilled(world, DAYS[:2])

    _, outcomes = await backfilled(world)

    assert (outcomes.left, [day for day, _ in outcomes.loaded]) == (1, DAYS[1:])
    assert world.content == before


async def test_the_table_goes_back_to_an_earlier_day_only_when_that_is_allowed() -> None:
    world = await three_days()
    with pytest.raises(RefusedError, match="guard older_than_table"):
        await world.batch().reload(ENTITIES["products"], DAYS[0])

    _, outcomes = await backfilled(world, DAYS[:1], allowed=["older_than_table"])

    assert [day for day, _ in outcomes.loaded] == DAYS[:1]
    present = {number: row["payload"]["price"] for number, row in world.content.items() if not row["_deleted"]}
    assert present == SHOPS[0]


async def test_a_day_that_the_raw_zone_does_not_have_is_told_and_the_others_are_loaded() -> None:
    world = await three_days()
    world.tables.table.clear()

    code, outcomes = await backfilled(world, [DAY - timedelta(days=1), *DAYS])

    assert (code, [day for day, _ in outcomes.loaded]) == (65, DAYS)
    assert "the raw zone has no products of 2026-11-23, and the source has no past" in str(outcomes.errors[0])


async def test_a_day_of_which_an_object_is_gone_is_told_and_loads_nothing() -> None:
    world = await three_days()
    world.tables.table.clear()
    gone = next(name for name in world.zone.objects if name.startswith("products/dt=2026-11-25/"))
    del world.zone.objects[gone]

    code, outcomes = await backfilled(world)

    assert (code, [day for day, _ in outcomes.loaded]) == (65, [DAYS[0], DAYS[2]])
    assert f"gs://bucket/{gone} of run" in str(outcomes.errors[0])


async def test_today_comes_from_the_source_when_the_raw_zone_has_nothing_of_it() -> None:
    world = await three_days()
    today = DAYS[-1] + timedelta(days=1)
    world.shop.records = records({1: 3, 2: 1, 9: 1})

    code, outcomes = await backfilled(world, [*DAYS, today], today=today)

    assert (code, outcomes.loaded[-1][0]) == (0, today)
    assert not world.content[9]["_deleted"]


async def test_a_load_that_a_guard_refused_is_done_from_the_raw_zone_once_it_is_allowed() -> None:
    world = await three_days()
    next_day = DAYS[-1] + timedelta(days=1)
    with pytest.raises(InvalidDataError, match="guard duplicate_ids"):
        await world.load([*records(SHOPS[2]), product(id=1, price=9)], next_day)
    world.shop.records = []
    world.zone.objects.pop("_state/batch/products/lease.json", None)

    _, outcomes = await backfilled(world, [next_day], allowed=["duplicate_ids"])

    assert [day for day, _ in outcomes.loaded] == [next_day]
