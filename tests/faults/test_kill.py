"""Whatever dies, every event ends in the table exactly once: real processes, real emulators, SIGKILL and SIGSTOP."""

import os
import random
import signal
import time
from collections.abc import Mapping
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


def _kill_at_random_moments(environment: dict[str, str], seed: int, kills: int) -> None:
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when the test fails
    rng = random.Random(seed)
    publish(environment, [event(cart_id=i) for i in range(_EVENTS)])
    for _ in range(kills):
        process = start(environment, "carts_consumer")
        assert process.stdout is not None
        process.stdout.readline()  # it has started; from here on it may die at any step
        time.sleep(rng.uniform(0, 1.5))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=20)
    survivor = start(environment, "carts_consumer")
    try:
        until(lambda: _appended(environment)[1] == _EVENTS, "the arrival of every event", seconds=90)
    finally:
        os.kill(survivor.pid, signal.SIGTERM)
        survivor.communicate(timeout=40)
    assert survivor.returncode == 0
    run(environment, "carts_consumer", "--until-idle", "12")  # what was not acknowledged comes again and is known
    assert _appended(environment) == (_EVENTS, _EVENTS)
    lines = [line.fields["message_id"] for text in archived(environment, "carts_events/") for line in read_lines(text)]
    assert len(set(lines)) == _EVENTS


def test_killed_twice_at_random_moments_nothing_is_lost_or_doubled(environment: dict[str, str]) -> None:
    _kill_at_random_moments(environment, seed=random.randrange(1 << 32), kills=2)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100))
def test_killed_a_hundred_times_nothing_is_lost_or_doubled(environment: dict[str, str], seed: int) -> None:
    _kill_at_random_moments(environment, seed=seed, kills=2)


def test_frozen_past_its_leases_it_drops_what_others_took(environment: dict[str, str]) -> None:
    held = {**environment, "EYDP_CONSUMER_FLUSH_MAX_AGE_SECONDS": "5", "EYDP_CONSUMER_FLUSH_MAX_ROWS": "100000"}
    frozen = start(held, "carts_consumer")
    assert frozen.stdout is not None
    frozen.stdout.readline()
    publish(environment, [event(cart_id=i) for i in range(_EVENTS)])
    time.sleep(1.5)  # it holds the messages now, and does not flush before its batch is 5 s old
    os.kill(frozen.pid, signal.SIGSTOP)
    try:
        other = start(environment, "carts_consumer")
        until(lambda: _appended(environment)[1] == _EVENTS, "the takeover", seconds=60)
    finally:
        os.kill(frozen.pid, signal.SIGCONT)
    time.sleep(2)
    for process in (frozen, other):
        os.kill(process.pid, signal.SIGTERM)
        process.communicate(timeout=40)
        assert process.returncode == 0
    assert _appended(environment) == (_EVENTS, _EVENTS)
