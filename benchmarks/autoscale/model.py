"""The consumer's pods over a day: what they take, what waits, and what the scaler gets to see of it, and when."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from autoscale.day import Day
from autoscale.hpa import SYNC_SECONDS, Behavior, Metric, Scaler

Mode = Literal["hpa", "keda", "none"]


@dataclass(frozen=True, slots=True)
class World:
    """What is as it is: the consumer's measured rate, and how late things happen."""

    #: One pod with one core. Measured from 17,000 to 29,000, by machine and day.
    events_a_second: float = 25_000
    event_bytes: float = 400
    #: Messages and bytes that a pod holds at most, the defaults of its settings.
    max_messages: int = 20_000
    max_bytes: int = 32 << 20
    #: Rows and seconds that close a batch, and how long a flush takes.
    flush_rows: int = 5_000
    flush_age_seconds: float = 1.0
    flush_seconds: float = 0.3
    #: From the decision to a pod that pulls, on a node that has the image and room.
    pod_start_seconds: float = 30
    #: The same with a new node before it.
    node_start_seconds: float = 150
    #: Pods that fit on the nodes beyond those that run; a node that became empty stays for so long.
    spare_pods: int = 3
    node_kept_seconds: float = 600
    #: Cloud Monitoring samples Pub/Sub each minute and shows it minutes later.
    monitoring_period_seconds: float = 60
    monitoring_delay_seconds: float = 150
    cpu_delay_seconds: float = 30
    #: A scrape each half minute, and the way through Prometheus.
    prometheus_delay_seconds: float = 45
    #: Which bound of the buffer the consumer's saturation speaks of.
    saturation: Literal["bytes", "fuller"] = "fuller"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the chart's values decide; a target of 0 leaves the metric out."""

    mode: Mode
    behavior: Behavior
    replicas: int
    backlog_per_pod: float
    oldest_age_seconds: float
    cpu_percent: float
    saturation_per_pod: float

    def but(self, **changed: float | str) -> "Settings":
        """Return the settings with some changed, those of the behaviour too."""
        behavior = {name: value for name, value in changed.items() if hasattr(self.behavior, name)}
        own = {name: value for name, value in changed.items() if name not in behavior}
        return replace(self, behavior=replace(self.behavior, **behavior), **own)  # type: ignore[arg-type]  # the names were looked for above


@dataclass(slots=True)
class Series:
    """One value for each step: events that wait, seconds that the oldest waits, pods, ready pods, events taken."""

    backlog: list[float] = field(default_factory=list)
    age: list[float] = field(default_factory=list)
    replicas: list[int] = field(default_factory=list)
    ready: list[int] = field(default_factory=list)
    taken: list[float] = field(default_factory=list)


def simulate(day: Day, settings: Settings, world: World | None = None) -> Series:
    """Run the day. Nothing is random in it."""
    return _Run(day, settings, world or World()).run()


class _Delayed:
    """A value as it was a while ago, sampled now and then."""

    def __init__(self, delay: float, period: float = 0.0) -> None:
        self._delay = delay
        self._period = period
        self._held: deque[tuple[float, float]] = deque()

    def put(self, now: float, value: float) -> None:
        if not self._held or now >= self._held[-1][0] + self._period:
            self._held.append((now, value))

    def at(self, now: float) -> float | None:
        """Return the newest value that is old enough to be seen; None when none is yet."""
        while len(self._held) > 1 and self._held[1][0] <= now - self._delay:
            self._held.popleft()
        return self._held[0][1] if self._held and self._held[0][0] <= now - self._delay else None


class _Pods:
    """Pods by the time from which they pull; the youngest go first."""

    def __init__(self, count: int, world: World) -> None:
        self._world = world
        self._ready_at = [0.0] * count
        #: Until when there were so many; their nodes are kept for a while.
        self._seen: deque[tuple[float, int]] = deque()

    def __len__(self) -> int:
        return len(self._ready_at)

    def ready(self, now: float) -> int:
        return sum(at <= now for at in self._ready_at)

    def scale(self, now: float, count: int) -> None:
        if count == len(self):
            return
        self._seen.append((now, len(self)))
        while self._seen[0][0] < now - self._world.node_kept_seconds:
            self._seen.popleft()
        room = max(seen for _, seen in self._seen) + self._world.spare_pods
        while len(self) < count:
            waits = self._world.pod_start_seconds if len(self) < room else self._world.node_start_seconds
            self._ready_at.append(now + waits)
        del self._ready_at[count:]


class _Run:
    def __init__(self, day: Day, settings: Settings, world: World) -> None:
        self._day, self._settings, self._world = day, settings, world
        self._scaler = Scaler(settings.behavior)
        self._pods = _Pods(settings.replicas if settings.mode == "none" else settings.behavior.min_replicas, world)
        self._waiting: deque[list[float]] = deque()
        self._backlog = 0.0
        self._seen = {
            "backlog": _Delayed(world.monitoring_delay_seconds, world.monitoring_period_seconds),
            "age": _Delayed(world.monitoring_delay_seconds, world.monitoring_period_seconds),
            "cpu": _Delayed(world.cpu_delay_seconds),
            "saturation": _Delayed(world.prometheus_delay_seconds),
        }

    def run(self) -> Series:
        series, step = Series(), self._day.step
        due = 0.0
        for number, arriving in enumerate(self._day.arrivals):
            now = number * step
            ready = self._pods.ready(now)
            taken = self._take(now, arriving, ready)
            age = now - self._waiting[0][0] if self._waiting else 0.0
            series.backlog.append(self._backlog)
            series.age.append(age)
            series.replicas.append(len(self._pods))
            series.ready.append(ready)
            series.taken.append(taken)
            if now >= due and self._settings.mode != "none":
                due = now + SYNC_SECONDS
                self._observe(now, taken / step, ready, age)
                count = self._scaler.decide(now, len(self._pods), ready, self._metrics(now))
                self._pods.scale(now, count)
        return series

    def _take(self, now: float, arriving: float, ready: int) -> float:
        """Let events come, and the oldest ones go; return how many went."""
        if arriving:
            self._waiting.append([now, arriving])
        away = self._day.outage.covers(now)
        left = 0.0 if away else ready * self._world.events_a_second * self._day.step
        taken = 0.0
        while self._waiting and left > 0:
            some = min(left, self._waiting[0][1])
            self._waiting[0][1] -= some
            left -= some
            taken += some
            if self._waiting[0][1] <= 0:
                self._waiting.popleft()
        # What is left of sums of fractions is no event.
        self._backlog = self._backlog + arriving - taken if self._waiting else 0.0
        return taken

    def _observe(self, now: float, rate: float, ready: int, age: float) -> None:
        capacity = ready * self._world.events_a_second
        self._seen["backlog"].put(now, self._backlog)
        self._seen["age"].put(now, age)
        self._seen["cpu"].put(now, 100 * rate / capacity if capacity else 0.0)
        self._seen["saturation"].put(now, ready * self._saturation(rate / ready if ready else 0.0))

    def _saturation(self, rate: float) -> float:
        """Return how full one pod's buffer is: full when something waits, else what it holds until it is flushed."""
        world = self._world
        held = rate * (min(world.flush_age_seconds, world.flush_rows / rate if rate else 0) + world.flush_seconds)
        most = min(world.max_messages, world.max_bytes / world.event_bytes)
        held = most if self._backlog else min(held, most)
        by_bytes = held * world.event_bytes / world.max_bytes
        return by_bytes if world.saturation == "bytes" else max(by_bytes, held / world.max_messages)

    def _metrics(self, now: float) -> Sequence[Metric]:
        settings, found = self._settings, []

        def add(name: str, target: float, make: Callable[[float], Metric]) -> None:
            measured = self._seen[name].at(now)
            if target and measured is not None:
                found.append(make(measured))

        add("backlog", settings.backlog_per_pod, lambda m: Metric("average", m, settings.backlog_per_pod))
        if settings.mode == "hpa":
            add("age", settings.oldest_age_seconds, lambda m: Metric("value", m, settings.oldest_age_seconds))
        else:
            add("saturation", settings.saturation_per_pod, lambda m: Metric("average", m, settings.saturation_per_pod))
        add("cpu", settings.cpu_percent, lambda m: Metric("utilization", m, settings.cpu_percent))
        return found
