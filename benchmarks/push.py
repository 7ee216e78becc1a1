"""The push service's requests per second, latency, carts per second and CPU time, on one core.

    python benchmarks/push.py [--requests 20000] [--batches 200]

The service has one core; the embedded Pub/Sub emulator and the load generator share the other. Latencies count from the
moment at which a request was due. All figures come from one run on one machine.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from dataplatform import clients
from dataplatform.settings import EmulatorSettings
from rig.bench import CONSUMER_CORE, OTHER_CORE, RIG, child, cpu_seconds, machine, peak_mib

_RATES = (1_000, 2_000, 3_000)
_CARTS = 1_000
_CONNECTIONS = 200


async def _provision(pubsub: str) -> None:
    publisher = clients.publisher_client(EmulatorSettings(pubsub_emulator_host=pubsub))
    await publisher.create_topic(name="projects/bench/topics/carts-pushed", retry=None, timeout=10)
    await publisher.transport.close()


def _load(port: int, key: Path, *arguments: object) -> dict[str, Any]:
    command = [sys.executable, str(RIG / "push_load.py"), "127.0.0.1", str(port), str(key), *map(str, arguments)]
    with child(command, OTHER_CORE) as process:
        output, _ = process.communicate()
    measured: dict[str, Any] = json.loads(output)
    if set(measured["statuses"]) != {"202"}:
        raise SystemExit(f"not every request was taken: {measured['statuses']}")
    return measured


def measure(requests: int, batches: int) -> None:
    """Run the service under each load and print the table."""
    emulator = [sys.executable, "-m", "localcloud.pubsub", "--port", "0"]
    with tempfile.TemporaryDirectory() as folder, child(emulator, OTHER_CORE) as pubsub:
        address = pubsub.stdout.readline().split()[-1]
        asyncio.run(_provision(address))
        key = Path(folder) / "keys" / "first"
        key.parent.mkdir()
        key.write_text("0123456789abcdef" * 4)
        environment = {
            **os.environ,
            "HOME": folder,
            "PUBSUB_EMULATOR_HOST": address,
            "EYDP_PROJECT": "bench",
            "EYDP_LOG_FORMAT": "json",
            "EYDP_METRICS_PORT": "0",
            "EYDP_PUSH_PORT": "0",
            "EYDP_PUSH_KEYS_DIR": str(key.parent),
        }
        with child([sys.executable, "-m", "carts_poller.push"], CONSUMER_CORE, environment) as service:
            port = json.loads(service.stdout.readline())["port"]
            _load(port, key, "rate", 500, 500, _CONNECTIONS)  # warm
            _table(service.pid, port, key, requests, batches)
            print(f"\npeak memory of the service: {peak_mib(service.pid):.0f} MiB")


def _table(pid: int, port: int, key: Path, requests: int, batches: int) -> None:
    print("| load | requests/s | carts/s | p50 ms | p99 ms | max ms | CPU s of the service | per request or cart |")
    print("|---|---|---|---|---|---|---|---|")
    for rate in _RATES:
        before = cpu_seconds(pid)
        found = _load(port, key, "rate", requests, rate, _CONNECTIONS)
        _row(f"single carts, {rate:,} requests/s", found, 1, cpu_seconds(pid) - before, requests)
    before = cpu_seconds(pid)
    found = _load(port, key, "rate", requests, 0, _CONNECTIONS)
    _row(f"single carts, as fast as {_CONNECTIONS} connections can", found, 1, cpu_seconds(pid) - before, requests)
    before = cpu_seconds(pid)
    found = _load(port, key, "batches", batches, _CARTS, 4)
    _row(f"batches of {_CARTS:,} as NDJSON, 4 connections", found, _CARTS, cpu_seconds(pid) - before, batches)


def _row(load: str, found: dict[str, Any], carts: int, cpu: float, requests: int) -> None:
    latencies = " | ".join(f"{found[name] * 1000:.1f}" for name in ("p50", "p99", "max"))
    each = cpu / (requests * carts) * 1e6
    print(f"| {load} | {found['rate']:,.0f} | {found['rate'] * carts:,.0f} | {latencies} | {cpu:.1f} | {each:.0f} µs |")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000, help="single carts for each rate")
    parser.add_argument("--batches", type=int, default=200, help="batches of 1,000 carts")
    options = parser.parse_args()
    print(f"{machine()}\n")
    measure(options.requests, options.batches)


if __name__ == "__main__":
    main()
