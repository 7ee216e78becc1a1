"""Names of raw objects: pure functions of what they hold and when, sorted by time, without surprises in them."""

import re
from datetime import UTC, date, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from dataplatform.rawzone import batch_object, digest, events_object, quarantine_object

MOMENTS = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis wants it naive
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001 - likewise
    timezones=st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours))),
)


def test_a_batch_of_events_is_filed_by_the_hour_of_its_first_publish_time_in_utc() -> None:
    first = datetime(2026, 11, 24, 1, 30, 0, 123_999, tzinfo=timezone(timedelta(hours=2)))
    assert (
        events_object("pod-a", first, 7, "0123456789abcdef")
        == "carts_events/dt=2026-11-23/hr=23/pod-a-1795476600123-7-0123456789abcdef.jsonl.gz"
    )


@given(MOMENTS)
def test_the_milliseconds_in_a_name_are_those_of_the_first_publish_time(first: datetime) -> None:
    found = re.search(r"-(\d+)-1-d\.jsonl\.gz$", events_object("pod", first, 1, "d"))
    assert found
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(found[1]))
    assert timedelta(0) <= first - start < timedelta(milliseconds=1)


@given(
    st.tuples(st.sampled_from("ab"), MOMENTS, st.integers(0, 20)),
    st.tuples(st.sampled_from("ab"), MOMENTS, st.integers(0, 20)),
)
def test_two_batches_of_one_content_share_a_name_only_if_they_are_one(
    one: tuple[str, datetime, int], other: tuple[str, datetime, int]
) -> None:
    def place(batch: tuple[str, datetime, int]) -> tuple[str, datetime, int]:
        consumer, first, sequence = batch
        return consumer, first.astimezone(UTC).replace(microsecond=first.microsecond // 1000 * 1000), sequence

    same = events_object(*one, "d") == events_object(*other, "d")
    assert same is (place(one) == place(other))


def test_a_part_of_a_batch_run_is_filed_by_entity_and_day_and_named_by_what_is_in_it() -> None:
    assert batch_object("products", date(2026, 11, 24), "ab") == "products/dt=2026-11-24/part-ab.jsonl.gz"


def test_quarantine_is_filed_by_entity_and_day_in_utc() -> None:
    moment = datetime(2026, 11, 24, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    assert quarantine_object("users", moment, "d") == "quarantine/users/dt=2026-11-23/d.jsonl.gz"


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_a_digest_tells_contents_apart(one: bytes, other: bytes) -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", digest(one))
    assert (digest(one) == digest(other)) is (one == other)
