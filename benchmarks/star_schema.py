"""A daily dbt run: wall and CPU seconds, first with everything new, then with 1 % new, then with nothing new.

python benchmarks/star_schema.py [--events 1000000] [--days 365]

The warehouse is the embedded emulator, so its seconds are its own: BigQuery's would be others. What carries over is
what dbt itself costs, and the share of the work that an incremental run does.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from google.cloud import bigquery

from dataplatform.clients import bigquery_client
from dataplatform.schemas import RAW_TABLES, api_fields
from dataplatform.settings import EmulatorSettings, PlatformSettings
from localcloud.state import read_state
from rig.bench import machine

_START_SECONDS = 120
_RUN_SECONDS = 3_600

#: Three versions a cart, spread evenly over the days; every event has two lines of twenty products.
_EVENTS = """
insert into bq_raw.carts_events (
    event_id, event_type, schema_version, source, epoch, cart_id, version, user_id, cart_date, products, total_items,
    observed_at, published_at, ingested_at, message_id, raw_uri, payload
)
select
    format('e%d', n), if(mod(n, 3) = 0, 'cart_created', 'cart_updated'), 1, 'fakestore', 1, div(n, 3), mod(n, 3) + 1,
    mod(div(n, 3), 10) + 1, timestamp_trunc(at, day),
    [struct(mod(n, 20) + 1 as product_id, mod(n, 5) + 1 as quantity), struct(mod(n + 7, 20) + 1, 1)], mod(n, 5) + 2,
    at, at, at, format('m%d', n), 'gs://none', json '{{}}'
from (
    select n, timestamp_add(timestamp '2025-01-01 00:00:00+00', interval cast(n * {step} as int64) second) as at
    from unnest(generate_array({first}, {last})) as n
)
"""
_BATCH = """
insert into bq_raw.{table} ({columns}, source, run_id, ingested_at, raw_uri)
select {values}, 'fakestore', 'bench', timestamp '2024-12-31 00:00:00+00', 'gs://none'
from unnest(generate_array(1, {count})) as n
"""


@dataclass(frozen=True)
class Cost:
    """What one run took: seconds of wall, of dbt's CPU and of the emulator's, and what it wrote."""

    wall: float
    cpu: float
    emulator: float
    counts: Mapping[str, int]


@contextmanager
def _stack(folder: Path) -> Iterator[Mapping[str, str]]:
    command = [sys.executable, "-m", "localcloud", "up", f"--data-dir={folder}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while (state := read_state(folder)) is None:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the embedded stack did not start")
            time.sleep(0.2)
        yield {**state.environment, "_BIGQUERY_PID": str(state.services["bigquery"].pid)}
    finally:
        process.terminate()
        process.wait(_START_SECONDS)


def _create(client: Any, project: str) -> None:
    for dataset in ("bq_raw", "bq_analytics"):
        client.create_dataset(dataset, exists_ok=True)
    for table in RAW_TABLES:
        fields = [bigquery.SchemaField.from_api_repr(each) for each in api_fields(table.columns)]
        made = bigquery.Table(f"{project}.bq_raw.{table.name}", schema=fields)
        if table.partition_by:
            made.time_partitioning = bigquery.TimePartitioning(field=table.partition_by)
        client.create_table(made, exists_ok=True)
    client.query_and_wait(
        _BATCH.format(
            table="Products",
            columns="id, title, price, category",
            values="n, format('P%d', n), cast(n as numeric), 'c'",
            count=20,
        )
    )
    client.query_and_wait(_BATCH.format(table="Users", columns="id, city", values="n, 'here'", count=10))


def _build(environment: Mapping[str, str], folder: Path) -> Cost:
    emulator = psutil.Process(int(environment["_BIGQUERY_PID"]))
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    busy = sum(emulator.cpu_times()[:2])
    done = subprocess.run(
        [sys.executable, "-m", "dbt_job", "--json", "build"],
        env={**os.environ, **environment, "EYDP_DBT_TARGET_PATH": str(folder / "dbt")},
        capture_output=True,
        text=True,
        timeout=_RUN_SECONDS,
        check=False,
    )
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stderr[-4000:])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, sum(emulator.cpu_times()[:2]) - busy, json.loads(done.stdout)["counts"])


def main() -> None:
    """Fill the raw tables, build three times, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=365)
    options = parser.parse_args()
    step = options.days * 86_400 / options.events
    more = options.events + options.events // 100
    costs: list[tuple[str, Cost]] = []
    with tempfile.TemporaryDirectory() as name, _stack(Path(name) / "stack") as environment:
        folder = Path(name)
        project = environment["EYDP_PROJECT"]
        client = bigquery_client(
            PlatformSettings(project=project),
            EmulatorSettings(bigquery_emulator_host=environment["BIGQUERY_EMULATOR_HOST"]),
        )
        _create(client, project)
        client.query_and_wait(_EVENTS.format(first=0, last=options.events - 1, step=step))
        costs.append(("everything new", _build(environment, folder)))
        client.query_and_wait(_EVENTS.format(first=options.events, last=more - 1, step=step))
        costs.append(("1 % new", _build(environment, folder)))
        costs.append(("nothing new", _build(environment, folder)))
        client.close()
    print(machine())
    print(f"{options.events:,} events of {options.days} days")
    print(f"{'run':<16}{'wall s':>10}{'dbt CPU s':>12}{'emulator CPU s':>16}{'of the first':>14}")
    for title, cost in costs:
        share = cost.wall / costs[0][1].wall
        print(f"{title:<16}{cost.wall:>10.1f}{cost.cpu:>12.1f}{cost.emulator:>16.1f}{share:>14.0%}")


if __name__ == "__main__":
    main()
