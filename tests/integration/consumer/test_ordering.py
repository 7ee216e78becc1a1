"""With ordering keys, the rows of a cart are appended in the order of its changes."""

import os
import signal
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.events import event
from support.programs import own_names, run, start, until
from support.pubsub import publish, rows

_CARTS = 7
_VERSIONS = 60


@pytest.fixture
def environment(stack_env: Mapping[str, str], tmp_path: Path) -> dict[str, str]:
    names = {
        **own_names(stack_env),
        "HOME": str(tmp_path),
        "EYDP_POLLER_ORDERING_KEYS": "true",
        "EYDP_CONSUMER_FLUSH_MAX_ROWS": "10",
        "EYDP_CONSUMER_FLUSH_MAX_AGE_SECONDS": "0.05",
        "EYDP_CONSUMER_MAX_OUTSTANDING_MESSAGES": "40",  # small answers, many flushes
    }
    run(names, "eydp", "provision", cwd=str(tmp_path))
    return names


def test_rows_follow_the_order_of_change_across_streams_flushes_and_a_restart(environment: dict[str, str]) -> None:
    changes = [event(cart, version) for version in range(1, _VERSIONS + 1) for cart in range(_CARTS)]
    half = len(changes) // 2
    first = start(environment, "carts_consumer")
    publish(environment, changes[:half], ordered=True)
    until(lambda: len(rows(environment, "select event_id from {raw}.carts_events limit 50")) == 50, "the first rows")
    os.kill(first.pid, signal.SIGTERM)
    publish(environment, changes[half:], ordered=True)
    output, _ = first.communicate(timeout=40)
    assert first.returncode == 0, output
    run(environment, "carts_consumer", "--until-idle", "1")

    found = rows(environment, "select cart_id, version, ingested_at from {raw}.carts_events order by ingested_at")
    assert len(found) == len(changes)
    versions = defaultdict(list)
    for row in found:
        versions[row["cart_id"]].append((row["ingested_at"], row["version"]))
    for cart in range(_CARTS):
        # Rows of one flush have one time, and BigQuery knows no order within it.
        taken = sorted(versions[cart], key=lambda item: item[1])
        assert [version for _, version in taken] == list(range(1, _VERSIONS + 1))
        times = [moment for moment, _ in taken]
        assert times == sorted(times)
    assert len({row["ingested_at"] for row in found}) > 10  # many flushes, else nothing was shown
