"""A run's name follows from the day and from what was received."""

from datetime import date

from batch_ingest.identity import run_id

from .records import product, raw, read

DAY = date(2026, 11, 24)


def name(*ids: int, day: date = DAY, source: str = "fakestore", title: str = "Chair", broken: int = 0) -> str:
    records = [raw(product(id=number, title=title)) for number in ids] + [raw({"id": broken})] * bool(broken)
    return run_id(day, source, read("products", *records))


def test_the_same_records_in_any_order_have_the_same_name() -> None:
    assert name(1, 2, 3) == name(3, 1, 2)
    assert name(1, 2, 3).startswith("20261124-")


def test_another_day_source_record_or_invalid_record_makes_another_name() -> None:
    names = [
        name(1, 2),
        name(1, 2, day=date(2026, 11, 25)),
        name(1, 2, source="other"),
        name(1, 2, 3),
        name(1, 2, title="Table"),
        name(1, 2, broken=3),
        name(1, 2, broken=4),
    ]

    assert len(set(names)) == len(names)
