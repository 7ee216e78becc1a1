"""The batch loader's speed and memory at three sizes: fetch, validate and write up to the bucket; the load apart.

    python benchmarks/batch.py [--records 10000 100000 1000000] [--load-up-to 10000] [--dlt PYTHON]

The shop's stand-in and the bucket's emulator have one core, the loader the other. `records/s` is by the clock, and
the slower of the two decides; `a core` is by the loader's CPU time, all of it. The load is the BigQuery emulator's
speed, which says nothing about BigQuery. With `--dlt`, the interpreter of an environment that has dlt[filesystem]
does the same job up to the files.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rig.bench import CONSUMER_CORE, OTHER_CORE, RIG, child, machine

_START_SECONDS = 120.0
_ROW = "{:>10} {:<8} {:>10} {:>10} {:>12} {:>10} {:>10} {:>8}"


@contextmanager
def stack(folder: str) -> Iterator[Mapping[str, str]]:
    """Start the embedded stack on one core; yield the environment that makes programs use it."""
    from localcloud.state import read_state

    command = [sys.executable, "-m", "localcloud", "up", f"--data-dir={folder}/stack"]
    with child(command, OTHER_CORE) as process:
        until = time.monotonic() + _START_SECONDS
        while (state := read_state(Path(folder) / "stack")) is None:
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit("the embedded stack did not start")
            time.sleep(0.1)
        yield {**os.environ, **state.environment, "EYDP_SOURCE_TOTAL_TIMEOUT_SECONDS": "3600"}


@contextmanager
def shop(records: int) -> Iterator[str]:
    """Serve so many products on the other core; yield the address."""
    with child([sys.executable, "-m", "localcloud.fakestore", "--products", str(records)], OTHER_CORE) as process:
        yield process.stdout.readline().split()[-1]


def run(command: list[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Run what is measured on its core; return the figures it writes as its last line."""
    with child(command, CONSUMER_CORE, environment) as process:
        output, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    found: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return found


def show(name: str, figures: Mapping[str, Any]) -> None:
    """Print one row."""
    records = figures["records"]
    load = figures.get("load_seconds")
    print(
        _ROW.format(
            f"{records:,}",
            name,
            f"{records / figures['seconds']:,.0f}",
            f"{records / figures['cpu_seconds']:,.0f}",
            f"{figures['cpu_seconds'] / records * 1e6:.1f}",
            f"{figures['peak_mib']:.0f}",
            figures.get("parts", ""),
            f"{load:.1f}" if load is not None else "",
        ),
        flush=True,
    )


def main() -> None:
    """Measure each size and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--load-up-to", type=int, default=10_000, help="sizes above it are not loaded")
    parser.add_argument("--dlt", metavar="PYTHON", help="interpreter of an environment with dlt[filesystem]")
    options = parser.parse_args()
    print(machine())
    print(_ROW.format("records", "with", "records/s", "a core", "CPU s/million", "peak MiB", "parts", "load s"))
    with tempfile.TemporaryDirectory() as folder, stack(folder) as environment:
        for records in options.records:
            own = {
                **environment,
                "EYDP_BUCKET": f"bench-{records}",
                "EYDP_DATASET_RAW": f"bench_{records}",
                "EYDP_DATASET_ANALYTICS": f"bench_{records}_marts",
            }
            subprocess.run([sys.executable, "-m", "eydp", "provision"], env=own, check=True, capture_output=True)
            with shop(records) as address:
                own["EYDP_SOURCE_URL"] = f"http://{address}"
                load = ["--load"] if records <= options.load_up_to else []
                show("ours", run([sys.executable, str(RIG / "receive.py"), str(records), *load], own))
                if options.dlt:
                    with tempfile.TemporaryDirectory() as files:
                        url = f"http://{address}/products"
                        command = [options.dlt, str(RIG / "dlt_products.py"), url, str(records), files]
                        show("dlt", run(command, {"PATH": os.environ["PATH"], "HOME": files}))


if __name__ == "__main__":
    main()
