from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from dataplatform.clock import Clock, SystemClock, rfc3339
from support.clock import FakeClock

MOMENTS = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants them naive


@given(MOMENTS, MOMENTS)
def test_the_order_of_formatted_times_is_the_order_of_time(one: datetime, other: datetime) -> None:
    assert (rfc3339(one) < rfc3339(other)) is (one < other)


@given(MOMENTS)
def test_a_formatted_time_reads_back_to_the_microsecond(moment: datetime) -> None:
    assert datetime.fromisoformat(rfc3339(moment)) == moment


def test_a_time_of_another_zone_is_formatted_in_utc() -> None:
    moment = datetime(2026, 11, 24, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert rfc3339(moment) == "2026-11-23T23:30:00.000000Z"


async def test_a_sleep_that_is_not_positive_returns_at_once() -> None:
    await SystemClock().sleep(-1)


async def test_the_clocks_have_one_contract() -> None:
    clocks: list[Clock] = [SystemClock(), FakeClock()]
    for clock in clocks:
        before_now, before = clock.now(), clock.monotonic()
        await clock.sleep(0.01)
        assert clock.now().tzinfo is UTC
        assert clock.now() > before_now
        assert clock.monotonic() > before
