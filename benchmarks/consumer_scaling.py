"""Scaling out: two consumers on one backlog, and one that joins late.

    python benchmarks/consumer_scaling.py [--events 200000]

All consumers share one core here, so the sinks answer slowly: an append takes two seconds, which bounds what one
consumer reaches well below its core. What is seen is how the work is divided, not how fast a core is.
"""

import argparse
import asyncio
import re
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from rig.backlog import fill
from rig.bench import CONSUMER_CORE, Bench, bench, child, machine

_APPEND_SECONDS = 2.0
_RECEIVED = re.compile(r"^consumer_messages_received_total ([0-9.e+]+)$", re.MULTILINE)
_PORT = re.compile(r'"metrics_port": (\d+)')


class Consumer:
    """A running consumer and what its metrics say."""

    def __init__(self, process: Any) -> None:
        self._port = next(match[1] for line in process.stdout if (match := _PORT.search(line)))

    @property
    def received(self) -> int:
        """Return how many messages it took so far."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics") as answer:
            found = _RECEIVED.search(answer.read().decode())
        return int(float(found[1])) if found else 0


@contextmanager
def consumer(environment: Mapping[str, str]) -> Iterator[Consumer]:
    """Run a consumer; it is started when this returns."""
    with child([sys.executable, "-m", "carts_consumer"], CONSUMER_CORE, environment) as process:
        yield Consumer(process)


def backlog(place: Bench, events: int, consumers: int) -> tuple[float, list[int]]:
    """Return the rate at which so many consumers take a backlog, and what each took of it."""
    asyncio.run(fill(place.pubsub, events))
    before = place.stats()["rows"]
    with ExitStack() as stack:
        running = [stack.enter_context(consumer(place.environment)) for _ in range(consumers)]
        began, first = time.monotonic(), place.stats()["rows"]
        while place.stats()["rows"] - before < events:
            time.sleep(0.05)
        seconds = time.monotonic() - began
        return (events - (first - before)) / seconds, [one.received for one in running]


def late(place: Bench, events: int) -> tuple[float, list[float]]:
    """Return after how many seconds a late joiner took 40 % of a second's messages, and its share second by second."""
    asyncio.run(fill(place.pubsub, events))
    with consumer(place.environment) as first:
        while first.received < events // 10:
            time.sleep(0.05)
        with consumer(place.environment) as second:
            began = time.monotonic()
            shares: list[float] = []
            before = (first.received, second.received)
            reached = float("inf")
            while len(shares) < 10:
                time.sleep(1)
                now = (first.received, second.received)
                taken = [after - earlier for after, earlier in zip(now, before, strict=True)]
                before = now
                shares.append(taken[1] / sum(taken) if sum(taken) else 0.0)
                if shares[-1] >= 0.4 and reached == float("inf"):
                    reached = time.monotonic() - began
            return reached, shares


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    options = parser.parse_args()
    with bench() as place:
        place.configure(append=_APPEND_SECONDS)
        alone, _ = backlog(place, options.events, 1)
        both, taken = backlog(place, options.events, 2)
        reached, shares = late(place, options.events)
    print(machine())
    print(f"one consumer {alone:,.0f} events/s, two {both:,.0f} events/s: {both / alone:.2f} times")
    print(f"of {options.events:,} events the two took {taken[0]:,} and {taken[1]:,}")
    print(f"a late joiner had its share after {reached:.0f} s; its share of each second:")
    print(" ".join(f"{share:.0%}" for share in shares))


if __name__ == "__main__":
    main()
