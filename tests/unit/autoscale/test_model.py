"""The simulated day: nothing is lost or made up, metrics are late, and the same day comes out the same."""

import functools
from itertools import pairwise

import pytest

from autoscale.chart import defaults
from autoscale.day import SPIKES, Day, Outage, a_day
from autoscale.judge import events, judge
from autoscale.model import Series, Settings, World, simulate
from autoscale.page import modes

NEVER = Outage(1e9, 0)
WORLD = World()
COARSE = a_day(step=15)
ROWS = [pytest.param(settings, world, id=name) for name, settings, world in modes()]


@functools.cache
def coarse(settings: Settings, world: World) -> Series:
    """The day in steps of 15 seconds, run once for all who look at it."""
    return simulate(COARSE, settings, world)


def steady(rate: float, minutes: int = 60, outage: Outage = NEVER) -> Day:
    return Day(15, [rate * 15] * (minutes * 4), outage)


@pytest.mark.parametrize(("settings", "world"), ROWS)
def test_what_came_was_taken_or_waits(settings: Settings, world: World) -> None:
    series = coarse(settings, world)
    came = taken = 0.0
    for i, arriving in enumerate(COARSE.arrivals):
        came += arriving
        taken += series.taken[i]
        assert came - taken == pytest.approx(series.backlog[i], abs=1)


@pytest.mark.parametrize(("settings", "world"), ROWS)
def test_no_pod_takes_more_than_it_can_and_none_takes_anything_in_the_outage(settings: Settings, world: World) -> None:
    series = coarse(settings, world)
    for i, taken in enumerate(series.taken):
        assert taken <= series.ready[i] * world.events_a_second * COARSE.step + 1
        assert series.ready[i] <= series.replicas[i]
        if COARSE.outage.covers(i * COARSE.step):
            assert taken == 0


@pytest.mark.parametrize(("settings", "world"), ROWS)
def test_the_count_stays_within_the_values(settings: Settings, world: World) -> None:
    series = coarse(settings, world)
    if settings.mode == "none":
        assert set(series.replicas) == {settings.replicas}
    else:
        behavior = settings.behavior
        assert behavior.min_replicas <= min(series.replicas)
        assert max(series.replicas) <= behavior.max_replicas


def test_something_waits_exactly_when_the_oldest_has_an_age() -> None:
    series = coarse(defaults("hpa"), WORLD)
    assert all(backlog > 0 for backlog, age in zip(series.backlog, series.age, strict=True) if age > 0)


def test_the_oldest_ages_no_faster_than_time() -> None:
    series = coarse(defaults("hpa"), WORLD)
    assert all(after - before <= COARSE.step + 1e-6 for before, after in pairwise(series.age))


def test_the_same_seed_is_the_same_day_and_another_is_another() -> None:
    assert a_day(seed=3, step=60) == a_day(seed=3, step=60)
    assert a_day(seed=3, step=60) != a_day(seed=4, step=60)


def test_two_runs_of_one_day_are_equal() -> None:
    assert simulate(COARSE, defaults("keda")) == simulate(COARSE, defaults("keda"))


def test_enough_pods_let_nothing_wait() -> None:
    series = simulate(steady(30_000), defaults("none"))
    assert max(series.backlog) == 0
    assert max(series.age) == 0


def test_too_few_pods_let_the_backlog_grow_by_the_difference() -> None:
    series = simulate(steady(60_000), defaults("none").but(replicas=2))
    assert series.backlog[-1] == pytest.approx((60_000 - 50_000) * 3600)


def test_a_backlog_metric_alone_changes_nothing_before_its_delay() -> None:
    settings = defaults("hpa").but(cpu_percent=0, oldest_age_seconds=0)
    series = simulate(steady(200_000), settings)
    first = next(i for i, count in enumerate(series.replicas) if count > settings.behavior.min_replicas)
    assert first * 15 > WORLD.monitoring_delay_seconds


def test_a_new_pod_takes_nothing_before_it_has_started() -> None:
    series = simulate(steady(200_000), defaults("hpa"))
    grown = next(i for i, count in enumerate(series.replicas) if count > series.replicas[0])
    started = next(i for i, count in enumerate(series.ready) if count > series.ready[0])
    assert (started - grown + 1) * 15 >= WORLD.pod_start_seconds


def test_after_an_outage_everything_is_caught_up() -> None:
    series = simulate(steady(30_000, 120, Outage(600, 600)), defaults("hpa"))
    assert max(series.backlog) == pytest.approx(30_000 * 600, rel=0.05)
    assert series.backlog[-1] == 0


@pytest.mark.parametrize("mode", ["hpa", "keda"])
def test_a_quiet_hour_after_a_peak_ends_with_the_fewest_pods(mode: str) -> None:
    settings = defaults("hpa") if mode == "hpa" else defaults("keda")
    day = Day(15, [200_000.0 * 15] * 80 + [1_000.0 * 15] * 400, NEVER)
    series = simulate(day, settings)
    assert max(series.replicas) > settings.behavior.min_replicas
    assert series.replicas[-1] == settings.behavior.min_replicas


def test_bytes_alone_do_not_show_a_buffer_that_is_full_of_small_messages() -> None:
    settings = defaults("keda").but(backlog_per_pod=0, cpu_percent=0)
    day = steady(200_000)
    assert max(simulate(day, settings, World(saturation="bytes")).replicas) == settings.behavior.min_replicas
    assert max(simulate(day, settings, World(saturation="fuller")).replicas) > settings.behavior.min_replicas


def test_the_chart_keeps_waits_short_on_the_simulated_day() -> None:
    judged = judge(COARSE, coarse(defaults("hpa"), WORLD))
    assert judged.age_seconds < 180
    assert judged.pod_hours < 100
    found = events(COARSE, coarse(defaults("hpa"), WORLD))
    assert [event.name for event in found if event.over_seconds is None] == []
    assert len(found) == len(SPIKES) + 1
