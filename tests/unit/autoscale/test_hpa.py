"""The HPA's algorithm, case by case and in general."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscale.hpa import Behavior, Metric, Scaler, wanted

BEHAVIOR = Behavior(
    min_replicas=2, max_replicas=20, up_percent=100, up_pods=4, down_percent=50, down_seconds=300, period_seconds=60
)


@pytest.mark.parametrize(
    ("metric", "replicas", "ready", "asked"),
    [
        (Metric("average", 5_000_000, 500_000), 2, 2, 10),
        (Metric("average", 5_000_001, 500_000), 2, 2, 11),
        (Metric("average", 1_090_000, 500_000), 2, 2, 2),  # within a tenth
        (Metric("average", 0, 500_000), 5, 5, 0),
        (Metric("value", 900, 300), 4, 4, 12),
        (Metric("value", 320, 300), 4, 4, 4),
        (Metric("value", 900, 300), 8, 4, 12),
        (Metric("utilization", 100, 75), 3, 3, 4),
        (Metric("utilization", 80, 75), 3, 3, 3),
        (Metric("utilization", 30, 75), 10, 10, 4),
        (Metric("utilization", 100, 75), 8, 4, 8),  # four are starting: as if idle, so nothing more is asked for
        (Metric("utilization", 100, 50), 6, 4, 8),
        (Metric("utilization", 100, 75), 4, 0, 4),
    ],
)
def test_a_metric_asks_for_replicas(metric: Metric, replicas: int, ready: int, asked: int) -> None:
    assert wanted(metric, replicas, ready) == asked


def test_the_metric_that_asks_for_most_counts() -> None:
    metrics = [Metric("average", 1_500_000, 500_000), Metric("average", 2_500_000, 500_000)]
    assert Scaler(BEHAVIOR).decide(0, 4, 4, metrics) == 5


def test_without_metrics_nothing_changes() -> None:
    assert Scaler(BEHAVIOR).decide(0, 7, 7, []) == 7


def growth(scaler: Scaler, seconds: int) -> list[int]:
    """The replicas each 15 seconds while a metric asks for very many."""
    counts, replicas = [], 2
    for now in range(0, seconds, 15):
        replicas = scaler.decide(now, replicas, replicas, [Metric("average", 1e9, 1)])
        counts.append(replicas)
    return counts


def test_growth_is_doubling_or_four_pods_a_minute_whichever_is_more() -> None:
    assert growth(Scaler(BEHAVIOR), 181) == [6] * 4 + [12] * 4 + [20] * 5


def test_nothing_shrinks_before_the_window_is_over() -> None:
    scaler = Scaler(BEHAVIOR)
    assert scaler.decide(0, 8, 8, [Metric("average", 8, 1)]) == 8
    idle = [Metric("average", 0.0, 1)]
    assert [scaler.decide(now, 8, 8, idle) for now in range(15, 301, 15)] == [8] * 20
    assert scaler.decide(315, 8, 8, idle) == 4


def test_shrinking_is_by_half_a_minute_at_most() -> None:
    scaler = Scaler(BEHAVIOR)
    replicas, counts = 16, []
    for now in range(1000, 1181, 15):
        replicas = scaler.decide(now, replicas, replicas, [Metric("average", 0.0, 1)])
        counts.append(replicas)
    assert counts[:4] == [8] * 4
    assert counts[4:8] == [4] * 4
    assert counts[8] == 2


@given(
    steps=st.lists(st.tuples(st.floats(0, 1e9), st.floats(0, 200)), min_size=1, max_size=40),
    least=st.integers(1, 5),
    more=st.integers(0, 30),
)
def test_the_count_stays_within_its_bounds_whatever_is_measured(
    steps: list[tuple[float, float]], least: int, more: int
) -> None:
    behavior = Behavior(least, least + more, 100, 4, 50, 300)
    scaler, replicas = Scaler(behavior), least
    for i, (backlog, cpu) in enumerate(steps):
        metrics = [Metric("average", backlog, 500_000), Metric("utilization", cpu, 75)]
        replicas = scaler.decide(i * 15.0, replicas, replicas, metrics)
        assert least <= replicas <= least + more
