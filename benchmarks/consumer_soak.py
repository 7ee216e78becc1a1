"""The consumer at a steady rate for long: does its memory stay flat?

python benchmarks/consumer_soak.py [--minutes 20] [--rate 1000]
"""

import argparse
import asyncio
import sys
import threading
import time
from pathlib import Path
from typing import Any

from rig.backlog import fill, flow
from rig.bench import CONSUMER_CORE, bench, child, cpu_seconds, machine, peak_mib

_SAMPLES = 20


def memory_mib(pid: int) -> float:
    """Return the memory that a process holds now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / (1 << 20)


def main() -> None:
    """Publish and sample side by side, then print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--rate", type=int, default=1_000, help="events a second")
    options = parser.parse_args()
    seconds = options.minutes * 60
    published: list[int] = []
    with bench() as place:
        asyncio.run(fill(place.pubsub, 0))
        with child([sys.executable, "-m", "carts_consumer"], CONSUMER_CORE, place.environment) as process:
            publisher = threading.Thread(
                target=lambda: published.append(asyncio.run(flow(place.pubsub, options.rate, seconds)))
            )
            publisher.start()
            samples: list[tuple[float, float, Any]] = []
            for i in range(_SAMPLES):
                time.sleep(seconds / _SAMPLES)
                samples.append(((i + 1) * options.minutes / _SAMPLES, memory_mib(process.pid), place.stats()["rows"]))
            publisher.join()
            deadline = time.monotonic() + 60
            while place.stats()["rows"] < published[0] and time.monotonic() < deadline:
                time.sleep(0.5)
            appended, cpu, peak = place.stats()["rows"], cpu_seconds(process.pid), peak_mib(process.pid)
    print(machine())
    print(
        f"{options.rate:,} events/s for {options.minutes:g} minutes: {published[0]:,} published, {appended:,} appended"
    )
    print(f"CPU {cpu / seconds:.1%} of a core, peak {peak:.0f} MiB")
    print(f"{'minute':>8}{'MiB':>8}{'rows':>14}")
    for minute, held, rows in samples:
        print(f"{minute:>8.1f}{held:>8.0f}{rows:>14,}")
    if appended != published[0]:
        raise SystemExit(f"{published[0] - appended} events are missing")


if __name__ == "__main__":
    main()
