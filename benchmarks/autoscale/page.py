"""docs/autoscaling.md and its plot, from simulated days."""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path

from autoscale.chart import defaults
from autoscale.day import Day, a_day
from autoscale.judge import Judged, events, judge
from autoscale.model import Series, Settings, World, simulate
from autoscale.svg import Panel, plot, thinned

TEXT = Path(__file__).with_name("page.md")
PLOT = "autoscaling.svg"
WITHOUT_CPU = "keda without its CPU trigger"
_POINTS = 480
#: Steps of the comparison of values: as long as the HPA's own, three times as fast to compute.
_COARSE = 15.0

type Row = tuple[str, Settings, World]


def modes() -> list[Row]:
    """Return the chart's modes by default, and what they are compared with."""
    world = World()
    keda, none = defaults("keda"), defaults("none")
    return [
        ("hpa", defaults("hpa"), world),
        ("keda", keda, world),
        (WITHOUT_CPU, keda.but(cpu_percent=0), world),
        ("the same, saturation of bytes alone", keda.but(cpu_percent=0), World(saturation="bytes")),
        (f"none, {none.replicas} pods", none, world),
        (f"none, {none.behavior.max_replicas} pods", none.but(replicas=none.behavior.max_replicas), world),
    ]


def variants() -> Iterator[tuple[str, list[Row]]]:
    """Yield groups of rows that differ from the default of `hpa` in one value."""
    hpa, world = defaults("hpa"), World()

    def rows(name: str, values: Iterable[float], unit: str = "") -> list[Row]:
        return [(f"{value:,.0f}{unit}", hpa.but(**{name: value}), world) for value in values]

    yield (
        "metrics",
        [
            ("CPU, backlog and age (the default)", hpa, world),
            ("CPU and backlog", hpa.but(oldest_age_seconds=0), world),
            ("CPU alone", hpa.but(oldest_age_seconds=0, backlog_per_pod=0), world),
            ("backlog and age", hpa.but(cpu_percent=0), world),
            ("age alone", hpa.but(cpu_percent=0, backlog_per_pod=0), world),
        ],
    )
    yield "`hpa.cpuPercent`", rows("cpu_percent", (50, 60, 75, 90))
    yield "`hpa.backlogPerPod`", rows("backlog_per_pod", (50_000, 500_000, 5_000_000))
    yield "`minReplicas`", rows("min_replicas", (1, 2, 4, 8))
    yield "`maxReplicas`", rows("max_replicas", (10, 15, 20, 40))
    yield "`scaleDownSeconds`", rows("down_seconds", (0, 60, 300, 900, 1800))
    yield (
        "`scaleUpPods` and `scaleUpPercent` a minute",
        [
            (f"{pods} or {percent} %", hpa.but(up_pods=pods, up_percent=percent), world)
            for pods, percent in ((1, 0), (2, 50), (4, 100), (20, 400))
        ],
    )
    yield (
        "the backlog's delay",
        [(f"{delay:g} s", hpa, World(monitoring_delay_seconds=delay)) for delay in (0.0, 60.0, 150.0, 300.0)],
    )
    yield (
        "one pod's rate",
        [(f"{rate:,.0f} a second", hpa, World(events_a_second=rate)) for rate in (17_000.0, 25_000.0, 29_000.0)],
    )


def values_line() -> str:
    """Return the chart's values that the page speaks of; cheap, so that a test can look for it in the page."""
    settings, behavior = defaults("hpa"), defaults("hpa").behavior
    given = [f"{field.name} {getattr(behavior, field.name):g}" for field in fields(behavior)]
    given += [
        f"{name} {getattr(settings, name):g}" for name in ("backlog_per_pod", "oldest_age_seconds", "cpu_percent")
    ]
    keda = defaults("keda")
    given += [
        f"keda {name} {getattr(keda, name):g}" for name in ("backlog_per_pod", "saturation_per_pod", "cpu_percent")
    ]
    return f"Computed for the chart's values: {', '.join(given)}.".replace("_", " ")


def page(day: Day) -> tuple[str, str]:
    """Return the page and its plot."""
    runs = [(name, simulate(day, settings, world)) for name, settings, world in modes()]
    text = TEXT.read_text(encoding="utf-8")
    for mark, table in (
        ("VALUES", values_line()),
        ("MODES", "\n".join(_table("mode", [(name, judge(day, series)) for name, series in runs]))),
        ("EVENTS", "\n".join(_events(day, runs[0][1]))),
        ("VARIANTS", "\n".join(_variants())),
    ):
        text = text.replace(f"<!-- {mark} -->", table)
    return text, picture(day, dict(runs))


def picture(day: Day, runs: dict[str, Series]) -> str:
    """Return the plot of `hpa`, and of the late metrics alone beside it."""
    shown = {name: runs[name] for name in ("hpa", WITHOUT_CPU)}
    rate = [arriving / day.step for arriving in day.arrivals]
    world = World()
    hpa = runs["hpa"]
    capacity = [ready * world.events_a_second for ready in hpa.ready]

    def lines(values: dict[str, list[float]]) -> dict[str, list[float]]:
        return {name: thinned(each, _POINTS) for name, each in values.items()}

    return plot(
        "A day of the consumer",
        [
            Panel("Events a second", lines({"published": rate, "capacity of hpa's ready pods": capacity})),
            Panel("Events that wait", lines({name: series.backlog for name, series in shown.items()})),
            Panel("Age of the oldest", lines({name: series.age for name, series in shown.items()}), " s"),
            Panel("Pods", lines({name: [float(n) for n in series.replicas] for name, series in shown.items()})),
        ],
    )


def _variants() -> Iterator[str]:
    day = a_day(step=_COARSE)
    for title, rows in variants():
        yield from (f"Varying {title}:", "")
        yield from _table(
            "value", [(name, judge(day, simulate(day, settings, world))) for name, settings, world in rows]
        )
        yield ""


def _table(first: str, rows: Iterable[tuple[str, Judged]]) -> Iterator[str]:
    yield f"| {first} | most waiting | longest wait | minutes late | pod hours | most pods | changes |"
    yield "|---|---|---|---|---|---|---|"
    for name, j in rows:
        waiting = f"{j.backlog / 1e6:.1f} M"
        numbers = f"{j.late_minutes:.0f} | {j.pod_hours:.0f} | {j.most_pods} | {j.changes}"
        yield f"| {name} | {waiting} | {j.age_seconds:,.0f} s | {numbers} |"


def _events(day: Day, series: Series) -> Iterator[str]:
    yield "| what happens | at | most waiting | longest wait | most pods | all caught up after |"
    yield "|---|---|---|---|---|---|"
    for event in events(day, series):
        at = f"{int(event.at // 3600):02}:{int(event.at % 3600 // 60):02}"
        over = "not within 3 hours" if event.over_seconds is None else f"{event.over_seconds / 60:.0f} min"
        waiting = f"{event.backlog / 1e6:.1f} M"
        yield f"| {event.name} | {at} | {waiting} | {event.age_seconds:,.0f} s | {event.most_pods} | {over} |"
