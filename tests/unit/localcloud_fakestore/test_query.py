"""Parameters mean what they mean at the real service."""

from datetime import UTC, datetime

import pytest

from localcloud.fakestore import query

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def dated(date: str) -> bytes:
    return f'{{"id":1,"date":"{date}","products":[]}}'.encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3", 3), ("0", None), ("", None), ("abc", None), ("nan", None), ("inf", None), ("2.9", 2), ("-2", 2)],
)
def test_limit_is_a_number_or_all(text: str, expected: int | None) -> None:
    assert query.limit({"limit": text}) == expected


def test_no_limit_means_all() -> None:
    assert query.limit({}) is None


@pytest.mark.parametrize(("text", "expected"), [("desc", True), ("asc", False), ("DESC", False), ("x", False)])
def test_only_the_word_desc_sorts_down(text: str, expected: bool) -> None:
    assert query.descending({"sort": text}) is expected


def test_the_range_includes_its_start_and_not_its_end() -> None:
    dates = query.dates({"startdate": "2020-01-02", "enddate": "2020-03-01"}, NOW)

    assert dates.keeps(dated("2020-01-02T00:00:00.000Z"))
    assert dates.keeps(dated("2020-02-29T23:59:59.999Z"))
    assert not dates.keeps(dated("2020-01-01T23:59:59.999Z"))
    assert not dates.keeps(dated("2020-03-01T00:00:00.000Z"))


def test_the_range_ends_now_by_default() -> None:
    dates = query.dates({}, NOW)

    assert not dates.asked
    assert dates.keeps(dated("2026-11-23T23:59:59.999Z"))
    assert not dates.keeps(dated("2026-11-24T00:00:00.000Z"))


@pytest.mark.parametrize("record", [b'{"id":1}', dated("soon"), b'{"id":1,"date":null}', dated("")])
def test_a_record_without_a_readable_date_is_kept(record: bytes) -> None:
    assert query.dates({"startdate": "2020-01-01"}, NOW).keeps(record)


@pytest.mark.parametrize("name", ["startdate", "enddate"])
def test_a_date_that_can_not_be_read_is_refused_by_name(name: str) -> None:
    with pytest.raises(query.BadQueryError, match=name):
        query.dates({name: "yesterday"}, NOW)


def test_selection_ends_at_its_limit_without_reading_on() -> None:
    blocks = iter([[b"1", b"2"], [b"3", b"4"], [b"5"]])

    assert list(query.selected(blocks, None, 3)) == [[b"1", b"2"], [b"3"]]
    assert list(blocks) == [[b"5"]]


def test_selection_counts_only_what_it_keeps() -> None:
    blocks = iter([[b"1", b"2"], [b"3"], [b"4"]])

    assert list(query.selected(blocks, lambda record: record in {b"2", b"4"}, 2)) == [[b"2"], [], [b"4"]]
