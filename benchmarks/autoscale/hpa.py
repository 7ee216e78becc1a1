"""The HPA's algorithm, as Kubernetes' documentation and source state it: from metrics to a number of replicas. Pure.

KEDA feeds the same algorithm with other metrics.
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

SYNC_SECONDS = 15.0
_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Metric:
    """A measured value and its target.

    `average`: the value is shared out among the pods (AverageValue). `value`: it is the same however many pods there
    are (Value). `utilization`: it is a mean over the ready pods (Resource).
    """

    kind: Literal["average", "value", "utilization"]
    measured: float
    target: float


def wanted(metric: Metric, replicas: int, ready: int) -> int:
    """Return the replicas that one metric asks for; within a tenth of the target it asks for what there is."""
    match metric.kind:
        case "average":
            if abs(metric.measured / (metric.target * replicas) - 1) <= _TOLERANCE:
                return replicas
            return math.ceil(metric.measured / metric.target)
        case "value":
            ratio = metric.measured / metric.target
            return replicas if abs(ratio - 1) <= _TOLERANCE else math.ceil(ratio * ready)
        case "utilization":
            return _by_utilization(metric.measured / metric.target, replicas, ready)


def _by_utilization(ratio: float, replicas: int, ready: int) -> int:
    if abs(ratio - 1) <= _TOLERANCE or not ready:
        return replicas
    if ratio < 1 or ready == replicas:
        return math.ceil(ratio * ready)
    # Pods that are still starting count as idle, so that they are not asked for twice.
    diluted = ratio * ready / replicas
    return replicas if diluted <= 1 + _TOLERANCE else math.ceil(diluted * replicas)


@dataclass(frozen=True, slots=True)
class Behavior:
    """The chart's bounds: of the count, and of how fast it changes."""

    min_replicas: int
    max_replicas: int
    up_percent: int
    up_pods: int
    down_percent: int
    down_seconds: float
    period_seconds: float = 60.0


class Scaler:
    """Turns metrics into replicas, remembering what the behaviour needs: past recommendations and past changes."""

    def __init__(self, behavior: Behavior) -> None:
        self._behavior = behavior
        self._recommended: deque[tuple[float, int]] = deque()
        self._changes: deque[tuple[float, int]] = deque()

    def decide(self, now: float, replicas: int, ready: int, metrics: Iterable[Metric]) -> int:
        """Return the replicas from now on. The metric that asks for most counts."""
        asked = max((wanted(metric, replicas, ready) for metric in metrics), default=replicas)
        decided = self._bounded(self._stabilised(now, asked, replicas), now, replicas)
        if decided != replicas:
            self._changes.append((now, decided - replicas))
        return decided

    def _stabilised(self, now: float, asked: int, replicas: int) -> int:
        """Shrink to no less than was asked for at any time within the window; grow at once."""
        self._recommended.append((now, asked))
        while self._recommended[0][0] < now - self._behavior.down_seconds:
            self._recommended.popleft()
        return asked if asked >= replicas else min(replicas, max(count for _, count in self._recommended))

    def _bounded(self, asked: int, now: float, replicas: int) -> int:
        behavior = self._behavior
        while self._changes and self._changes[0][0] <= now - behavior.period_seconds:
            self._changes.popleft()
        added = sum(change for _, change in self._changes if change > 0)
        removed = -sum(change for _, change in self._changes if change < 0)
        if asked > replicas:
            start = replicas - added
            limit = max(start + behavior.up_pods, math.ceil(start * (1 + behavior.up_percent / 100)))
            asked = min(asked, max(limit, replicas))
        elif asked < replicas:
            start = replicas + removed
            limit = int(start * (1 - behavior.down_percent / 100))
            asked = max(asked, min(limit, replicas))
        return min(behavior.max_replicas, max(behavior.min_replicas, asked))
