"""The days of a statement, and how objects are chosen by day."""

from datetime import UTC, date, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplatform.errors import InvalidDataError
from eydp.archive.joined import Manifest, Original, is_joined, joined_name, manifest_name, read_manifest, visible
from eydp.archive.reader import prefixes
from eydp.replay.spans import Spans, days_between
from eydp.replay.targets import EVENTS, compare, insert, remove

HOUR = "carts_events/dt=2026-11-20/hr=12/"


def test_days_in_a_row_are_one_range() -> None:
    days = [date(2026, 11, n) for n in (20, 21, 24)]
    assert Spans.of(days).ranges == (
        (datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)),
        (datetime(2026, 11, 24, tzinfo=UTC), datetime(2026, 11, 25, tzinfo=UTC)),
    )


def test_without_days_a_statement_is_about_nothing() -> None:
    assert Spans.of([]).condition("t.observed_at") == "(FALSE)"


@given(st.sets(st.dates(date(2020, 1, 1), date(2020, 3, 1))))
def test_the_ranges_hold_the_days_and_no_others(days: set[date]) -> None:
    ranges = Spans.of(days).ranges
    held = {
        day
        for day in days_between(date(2019, 12, 1), date(2020, 4, 1))
        for first, end in ranges
        if first <= datetime(day.year, day.month, day.day, tzinfo=UTC) < end
    }
    assert held == days
    assert all(one[1] < other[0] for one, other in pairwise(ranges))


def test_every_statement_is_pruned_by_the_partitions() -> None:
    spans = Spans.of([date(2026, 11, 20), date(2026, 11, 24)])
    for sql in (
        compare(EVENTS, "p.d.t", "p.d.s", spans),
        insert(EVENTS, "p.d.t", "p.d.s", EVENTS.table.columns, spans),
        remove(EVENTS, "p.d.t", spans),
    ):
        assert sql.count("`p.d.t` AS") == sum(sql.count(f"{alias}.observed_at >= @from0") for alias in "tde")
    names = [parameter.name for parameter in spans.parameters()]
    assert names == ["from0", "until0", "from1", "until1"]


def test_a_replay_reads_the_hours_around_its_days_too() -> None:
    assert prefixes(date(2026, 11, 20), date(2026, 11, 21)) == [
        "carts_events/dt=2026-11-19/hr=23/",
        "carts_events/dt=2026-11-20/",
        "carts_events/dt=2026-11-21/",
        "carts_events/dt=2026-11-22/hr=00/",
    ]


def manifest(*originals: str) -> Manifest:
    members = tuple(Original(f"{HOUR}{name}", 1, "md5", 1) for name in originals)
    name = joined_name(HOUR, datetime(2026, 11, 20, 12, tzinfo=UTC), members)
    return Manifest(name, len(members), "digest", "a", "b", members)


def test_no_consumers_object_is_taken_for_a_joined_one() -> None:
    assert is_joined(manifest("a").name)
    assert not is_joined(f"{HOUR}joined.1-1795536815891-1-448008067f921e24.jsonl.gz")


def test_a_joined_object_counts_from_its_manifest_on() -> None:
    made = manifest("a-1-1-0.jsonl.gz", "b-1-1-0.jsonl.gz")
    names = [*(original.name for original in made.originals), f"{HOUR}c-1-1-0.jsonl.gz", made.name]
    assert visible(names, []) == sorted(names[:3])
    assert visible(names, [made]) == sorted(names[2:])
    assert visible(names[:1], [made]) == [made.name], "joined since the objects were listed"


def test_a_manifest_is_read_back_as_it_was_written() -> None:
    made = manifest("a", "b")
    assert read_manifest("m", made.encoded()) == made
    assert manifest_name(made.name).startswith("_manifests/carts_events/dt=2026-11-20/hr=12/joined.")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"originals": [{}]}', b'{"originals": 3}'])
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidDataError, match="m is not the manifest"):
        read_manifest("m", data)
