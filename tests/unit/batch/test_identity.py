"""A run's name follows from the day and from what was received."""

from datetime import date

from batch_ingest import identity

from .records import DAY, Bucket, product, raw, take


async def name(*ids: int, day: date = DAY, source: str = "fakestore", title: str = "Chair", broken: int = 0) -> str:
    records = [raw(product(id=number, title=title)) for number in ids] + [raw({"id": broken})] * bool(broken)
    taken = await take(Bucket(), *records)
    return identity.run_id(day, source, taken.index, taken.findings.invalid, taken.spool.digest)


async def test_the_same_records_in_any_order_have_the_same_name() -> None:
    assert await name(1, 2, 3) == await name(3, 1, 2)
    assert (await name(1, 2, 3)).startswith("20261124-")


async def test_another_day_source_record_or_invalid_record_makes_another_name() -> None:
    names = [
        await name(1, 2),
        await name(1, 2, day=date(2026, 11, 25)),
        await name(1, 2, source="other"),
        await name(1, 2, 3),
        await name(1, 2, title="Table"),
        await name(1, 2, broken=3),
        await name(1, 2, broken=4),
    ]

    assert len(set(names)) == len(names)
