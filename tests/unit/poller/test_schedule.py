"""The rate is fixed: no drift, no overlap, missed ticks are skipped and counted."""

from hypothesis import given
from hypothesis import strategies as st

from carts_poller.schedule import FixedRate, Tick


def test_the_length_of_a_poll_does_not_move_the_next_one() -> None:
    ticks = FixedRate(100.0, 60.0)

    assert ticks.after(100.5) == Tick(160.0, 0)
    assert ticks.after(199.0) == Tick(220.0, 0)


def test_ticks_that_pass_during_a_poll_are_missed_and_not_made_up_for() -> None:
    ticks = FixedRate(0.0, 60.0)

    assert ticks.after(150.0) == Tick(180.0, 2)
    assert ticks.after(181.0) == Tick(240.0, 0)


def test_a_poll_that_takes_no_time_does_not_run_twice_at_one_tick() -> None:
    ticks = FixedRate(0.0, 60.0)

    assert [ticks.after(now).at for now in (0.0, 60.0, 120.0)] == [60.0, 120.0, 180.0]


def test_a_clock_that_wakes_a_moment_early_does_not_repeat_a_tick() -> None:
    ticks = FixedRate(0.0, 60.0)
    first = ticks.after(0.0)

    assert ticks.after(first.at - 0.001) == Tick(120.0, 0)


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=20), st.floats(0.5, 100))
def test_every_tick_is_used_or_missed(durations: list[float], interval: float) -> None:
    ticks, now, missed = FixedRate(0.0, interval), 0.0, 0
    for duration in durations:
        tick = ticks.after(now + duration)
        missed += tick.missed
        assert tick.at > now
        now = tick.at

    assert round(now / interval) == len(durations) + missed


def test_jitter_makes_each_tick_late_by_a_part_of_it_and_never_adds_up() -> None:
    late = iter([0.5, 1.0, 0.0])
    ticks = FixedRate(100.0, 60.0, 10.0, lambda: next(late))

    assert [ticks.after(100.0 + 60 * number).at for number in range(3)] == [165.0, 230.0, 280.0]


def test_jitter_is_never_longer_than_the_interval() -> None:
    assert FixedRate(0.0, 2.0, 60.0, lambda: 1.0).after(0.0).at == 4.0
