"""The consumer's throughput, CPU by stage, memory and latency, beside what people usually write.

    python benchmarks/consumer.py [--events 1000000] [--usual 200000] [--profile]

The embedded Pub/Sub emulator and sinks that answer at once have one core, the consumer under test the other. All
figures come from one run on one machine; compare them with each other, not with another machine's.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rig.backlog import SUBSCRIPTION, fill, flow
from rig.bench import CONSUMER_CORE, RIG, Bench, bench, child, cpu_seconds, machine, peak_mib

_IDLE_SECONDS = 1.0
_LATENCY_RATE = 1_000
_LATENCY_SECONDS = 30.0
_STAGE_EVENTS = 200_000
_USUAL = (
    ("raw streaming pull that only acknowledges", "raw"),
    ("subscribe() that only acknowledges", "subscribe"),
    ("subscribe(), pydantic, 500 rows an insert_rows_json", "batching"),
    ("subscribe(), pydantic, insert_rows_json a message", "plain"),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One row of the table."""

    name: str
    events: int
    rate: float
    cpu_per_million: float
    peak_mib: float


def measure_usual(name: str, mode: str, place: Bench, events: int) -> Measured:
    """Run one of the usual consumers to its end.

    The program writes `{"events", "seconds", "cpu_seconds", "peak_mib"}` as its last line.
    """
    asyncio.run(fill(place.pubsub, events))
    command = [sys.executable, str(RIG / "usual_consumers.py"), mode, SUBSCRIPTION, str(events)]
    with child(command, CONSUMER_CORE, place.environment) as process:
        output, _ = process.communicate()
    last = json.loads(output.strip().splitlines()[-1])
    if last["events"] < events:
        raise SystemExit(f"{name} handled {last['events']} of {events} events")
    return Measured(name, events, events / last["seconds"], last["cpu_seconds"] / events * 1e6, last["peak_mib"])


def measure_ours(place: Bench, events: int, profile: str | None = None) -> Measured:
    """Run `python -m carts_consumer` on the backlog, sampling its CPU time until the last row is in."""
    asyncio.run(fill(place.pubsub, events))
    python = [sys.executable, *(["-m", "cProfile", "-o", profile] if profile else [])]
    command = [*python, "-m", "carts_consumer", "--until-idle", str(_IDLE_SECONDS)]
    before = place.stats()["rows"]
    first = last = None
    with child(command, CONSUMER_CORE, place.environment) as process:
        while process.poll() is None:
            rows = place.stats()["rows"] - before
            sample = (time.monotonic(), rows, cpu_seconds(process.pid), peak_mib(process.pid))
            if rows and first is None:
                first = sample
            if first is not None and sample[3] and (last is None or rows > last[1]):
                last = sample
            time.sleep(0.1)
    if first is None or last is None or last[1] != events:
        raise SystemExit(f"the consumer appended {last[1] if last else 0} of {events} events")
    handled = last[1] - first[1]
    return Measured(
        "this consumer, everything on",
        events,
        handled / (last[0] - first[0]),
        (last[2] - first[2]) / handled * 1e6,
        last[3],
    )


def measure_stages() -> dict[str, float]:
    """Return CPU microseconds an event by stage."""
    command = [sys.executable, "-m", "rig.stages", str(_STAGE_EVENTS)]
    path = os.pathsep.join([str(RIG.parent), os.environ.get("PYTHONPATH", "")])
    with child(command, CONSUMER_CORE, {**os.environ, "PYTHONPATH": path}) as process:
        output, _ = process.communicate()
    stages: dict[str, float] = json.loads(output)
    return stages


def measure_latency(place: Bench) -> list[float]:
    """Return the seconds from published to appended of each event, at a steady rate, once the consumer runs."""
    asyncio.run(fill(place.pubsub, 0))
    with child([sys.executable, "-m", "carts_consumer"], CONSUMER_CORE, place.environment):
        before = place.stats()["rows"]
        warm_up = asyncio.run(flow(place.pubsub, _LATENCY_RATE, 1))
        _wait(lambda: place.stats()["rows"] - before, warm_up)
        place.configure(latency=True)
        published = asyncio.run(flow(place.pubsub, _LATENCY_RATE, _LATENCY_SECONDS, first=warm_up))
        _wait(lambda: len(place.stats()["latencies"]), published)
    place.configure(latency=False)
    return list(place.stats()["latencies"])


def _wait(appended: Callable[[], int], published: int) -> None:
    deadline = time.monotonic() + 30
    while (rows := appended()) < published:
        if time.monotonic() > deadline:
            raise SystemExit(f"{rows} of {published} events were appended")
        time.sleep(0.2)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000, help="for this consumer and the raw pull")
    parser.add_argument("--usual", type=int, default=200_000, help="for subscribe(); those that insert have less")
    parser.add_argument("--profile", action="store_true", help="also print this consumer's hot functions")
    options = parser.parse_args()
    counts = {"raw": options.events, "subscribe": options.usual, "batching": options.usual // 4}
    with bench() as place:
        table = [measure_ours(place, options.events)]
        table += [
            measure_usual(name, mode, place, counts.get(mode, max(1, options.usual // 40))) for name, mode in _USUAL
        ]
        latencies = measure_latency(place)
        if options.profile:
            with tempfile.NamedTemporaryFile() as profile:
                measure_ours(place, options.usual, profile.name)
                _print_profile(profile.name)
    _print(table)
    _print_stages(measure_stages(), table[0])
    _print_latency(latencies)


def _print_profile(profile: str) -> None:
    import pstats

    pstats.Stats(profile).sort_stats("tottime").print_stats(25)


def _print(table: Sequence[Measured]) -> None:
    print(machine())
    print(f"{'consumer':<52}{'events':>10}{'events/s':>10}{'CPU s/M':>9}{'peak MiB':>10}{'ratio':>8}")
    ours = table[0].rate
    for row in table:
        print(
            f"{row.name:<52}{row.events:>10,}{row.rate:>10,.0f}{row.cpu_per_million:>9.1f}{row.peak_mib:>10.0f}"
            f"{ours / row.rate:>8.2f}"
        )
    print("ratio: how many times as many events a second this consumer handles")


def _print_stages(stages: dict[str, float], ours: Measured) -> None:
    print(f"\n{'stage':<52}{'CPU s/M':>10}")
    for stage, cost in sorted(stages.items(), key=lambda item: -item[1]):
        print(f"{stage:<52}{cost:>10.1f}")
    print(
        f"{'gRPC, HTTP, event loop, acknowledging: the rest':<52}{ours.cpu_per_million - sum(stages.values()):>10.1f}"
    )


def _print_latency(latencies: Sequence[float]) -> None:
    parts = statistics.quantiles(latencies, n=100)
    print(f"\npublished to appended at {_LATENCY_RATE} events/s, {len(latencies):,} events, flush age 1 s:")
    print(f"p50 {parts[49]:.3f} s, p99 {parts[98]:.3f} s, longest {max(latencies):.3f} s")


if __name__ == "__main__":
    main()
