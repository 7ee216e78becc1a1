"""Whatever dies, every event ends in the table: real processes, real emulators, SIGKILL and SIGSTOP."""

import os
import random
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from dataplatform.envelope import read_lines
from support.events import event
from support.programs import own_names, run, start, until
from support.pubsub import archived, publish, rows

_EVENTS = 1500


@pytest.fixture
def environment(stack_env: Mapping[str, str], tmp_path: Path) -> dict[str, str]:
    names = {
        **own_names(stack_env),
        "HOME": str(tmp_path),
        "EYDP_CONSUMER_LEASE_SECONDS": "10",  # so that the survivors need not wait long
        "EYDP_CONSUMER_FLUSH_MAX_ROWS": "100",
        "EYDP_CONSUMER_FLUSH_MAX_AGE_SECONDS": "0.2",
    }
    run(names, "eydp", "provision", cwd=str(tmp_path))
    return names


def _appended(environment: Mapping[str, str]) -> tuple[int, int]:
    found = rows(environment, "select count(*) as n, count(distinct event_id) as ids from {raw}.carts_events")
    return int(found[0]["n"]), int(found[0]["ids"])


@contextmanager
def _consumer(environment: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a consumer while the block runs, and give the address of its metrics. It is gone afterwards."""
    process = start(environment, "carts_consumer")
    try:
        assert process.stdout is not None
        started = re.search(r'"metrics_port": (\d+)', process.stdout.readline())
        assert started, "the consumer did not start"
        yield process, f"http://127.0.0.1:{started[1]}/metrics"
    finally:
        process.kill()
        process.communicate(timeout=20)


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    output, _ = process.communicate(timeout=40)
    assert process.returncode == 0, output


def _received(address: str) -> int:
    with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - the test made the address
        found = re.search(r"^consumer_messages_received_total (\S+)$", answer.read().decode(), re.MULTILINE)
    return int(float(found[1])) if found else 0


def _kill_at_random_moments(environment: dict[str, str], seed: int, kills: int) -> None:
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when the test fails
    rng = random.Random(seed)
    publish(environment, [event(cart_id=i) for i in range(_EVENTS)])
    for _ in range(kills):
        with _consumer(environment) as (process, _):  # it has started; from here on it may die at any step
            time.sleep(rng.uniform(0, 1.5))
            process.kill()
    with _consumer(environment) as (survivor, _):
        until(lambda: _appended(environment)[1] == _EVENTS, "the arrival of every event", seconds=90)
        _stop(survivor)
    run(environment, "carts_consumer", "--until-idle", "12")  # what was not acknowledged comes again and is known
    assert _appended(environment) == (_EVENTS, _EVENTS)
    lines = [line.fields["message_id"] for text in archived(environment, "carts_events/") for line in read_lines(text)]
    assert len(set(lines)) == _EVENTS


def test_killed_at_random_moments_nothing_is_lost_or_doubled(environment: dict[str, str]) -> None:
    _kill_at_random_moments(environment, seed=random.randrange(1 << 32), kills=3)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100))
def test_killed_a_hundred_times_nothing_is_lost_or_doubled(environment: dict[str, str], seed: int) -> None:
    _kill_at_random_moments(environment, seed=seed, kills=2)


# Pub/Sub goes on giving a frozen consumer its share, because its streams stay open. So the others never take over all
# while it is frozen: these tests thaw it as soon as some of its messages were taken, and then wait for the rest.


@pytest.mark.long
def test_frozen_past_its_leases_it_drops_what_others_took(environment: dict[str, str]) -> None:
    held = {**environment, "EYDP_CONSUMER_FLUSH_MAX_AGE_SECONDS": "8", "EYDP_CONSUMER_FLUSH_MAX_ROWS": "100000"}
    with _consumer(held) as (frozen, address):
        publish(environment, [event(cart_id=i) for i in range(_EVENTS)])
        until(lambda: _received(address) == _EVENTS, "the frozen consumer holding every event", seconds=7)
        os.kill(frozen.pid, signal.SIGSTOP)
        assert _appended(environment) == (0, 0)
        with _consumer(environment) as (other, _):
            until(lambda: _appended(environment)[1] > 0, "the takeover")
            os.kill(frozen.pid, signal.SIGCONT)
            until(lambda: _appended(environment)[1] == _EVENTS, "the arrival of every event")
            _stop(frozen)
            _stop(other)
    assert _appended(environment) == (_EVENTS, _EVENTS)


@pytest.mark.long
def test_messages_that_waited_unread_in_a_frozen_consumer_are_dropped(environment: dict[str, str]) -> None:
    # They are first deliveries, so the redelivery guard would not look them up; the stream that held them is dropped.
    with _consumer(environment) as (frozen, address):
        publish(environment, [event(cart_id=0)])
        until(lambda: _received(address) == 1, "the frozen consumer pulling")
        until(lambda: _appended(environment)[1] == 1, "the first event")
        os.kill(frozen.pid, signal.SIGSTOP)
        publish(environment, [event(cart_id=i) for i in range(1, _EVENTS)])
        with _consumer(environment) as (other, _):
            until(lambda: _appended(environment)[1] > 1, "the takeover")
            os.kill(frozen.pid, signal.SIGCONT)
            until(lambda: _appended(environment)[1] == _EVENTS, "the arrival of every event")
            _stop(frozen)
            _stop(other)
    assert _appended(environment) == (_EVENTS, _EVENTS)
