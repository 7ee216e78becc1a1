"""What a simulated day comes to, in numbers."""

from dataclasses import dataclass

from autoscale.day import SPIKES, Day
from autoscale.model import Series

#: How long what happened is still felt.
_AFTERMATH_SECONDS = 2_700


@dataclass(frozen=True, slots=True)
class Judged:
    """One day. `age_seconds` is the longest wait outside the outage, whose own length no scaling can shorten."""

    backlog: float
    age_seconds: float
    late_minutes: float
    pod_hours: float
    most_pods: int
    changes: int


@dataclass(frozen=True, slots=True)
class Event:
    """What one campaign or the outage did. `over_seconds` is the time from its start until nothing waits any more."""

    name: str
    at: float
    backlog: float
    age_seconds: float
    most_pods: int
    over_seconds: float | None


def judge(day: Day, series: Series, *, late_seconds: float = 60) -> Judged:
    """Return the day's numbers; events are late when the oldest waits longer than `late_seconds`."""
    began, ended = day.outage.start, day.outage.start + day.outage.seconds + _AFTERMATH_SECONDS
    outside = [age for i, age in enumerate(series.age) if not began <= i * day.step < ended]
    return Judged(
        backlog=max(series.backlog),
        age_seconds=max(outside),
        late_minutes=sum(age > late_seconds for age in series.age) * day.step / 60,
        pod_hours=sum(series.replicas) * day.step / 3600,
        most_pods=max(series.replicas),
        changes=sum(a != b for a, b in zip(series.replicas, series.replicas[1:], strict=False)),
    )


def events(day: Day, series: Series) -> list[Event]:
    """Return what each campaign and the outage did, in their order."""
    starts = [(spike.start, spike.name) for spike in SPIKES] + [(day.outage.start, "sinks away for 20 minutes")]
    return [_event(day, series, name, start) for start, name in sorted(starts)]


def _event(day: Day, series: Series, name: str, start: float) -> Event:
    first = int(start / day.step)
    last = min(len(series.age), int((start + 3 * 3600) / day.step))
    began = next((i for i in range(first, last) if series.age[i] > day.step), first)
    over = next((i for i in range(began, last) if not series.backlog[i]), None)
    end = last if over is None else over + 1
    return Event(
        name,
        start,
        max(series.backlog[first:end]),
        max(series.age[first:end]),
        max(series.replicas[first:end]),
        None if over is None else (over - first) * day.step,
    )
