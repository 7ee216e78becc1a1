"""The consumer as a process against the embedded stack."""

import base64
import json
import os
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dataplatform.envelope import read_lines
from support.events import event
from support.programs import own_names, run, start, until
from support.pubsub import archived, publish, rows


@pytest.fixture
def environment(stack_env: Mapping[str, str], tmp_path: Path) -> dict[str, str]:
    names = {**own_names(stack_env), "HOME": str(tmp_path)}
    run(names, "eydp", "provision", cwd=str(tmp_path))
    return names


def _lines(environment: Mapping[str, str], prefix: str) -> list[Any]:
    return [line for text in archived(environment, prefix) for line in read_lines(text)]


def test_events_become_rows_and_lines_and_invalid_messages_go_to_quarantine(environment: dict[str, str]) -> None:
    good = [event(cart_id=i) for i in range(40)]
    bad = b'{"not": "an event"}'
    publish(environment, [*good, bad, *good[:5]])  # five events come twice
    run(environment, "carts_consumer", "--until-idle", "1")

    appended = rows(environment, "select event_id, raw_uri, total_items from {raw}.carts_events")
    assert sorted(row["event_id"] for row in appended) == sorted(e["event_id"] for e in good)
    assert {row["total_items"] for row in appended} == {5}
    lines = _lines(environment, "carts_events/")
    assert len(lines) == 45
    assert {json.loads(line.payload)["event_id"] for line in lines} == {e["event_id"] for e in good}
    quarantined = rows(environment, "select reason, stage, original from {raw}.quarantine")
    assert [(row["reason"], row["stage"]) for row in quarantined] == [("missing_field", "decode")]
    assert base64.b64decode(quarantined[0]["original"]) == bad
    assert [line.payload for line in _lines(environment, "quarantine/")] == [bad]

    # All was acknowledged: a second consumer finds nothing.
    run(environment, "carts_consumer", "--until-idle", "1")
    assert len(rows(environment, "select event_id from {raw}.carts_events")) == 40


def test_sigterm_flushes_what_is_held_and_exits_with_0(environment: dict[str, str]) -> None:
    slow = {**environment, "EYDP_CONSUMER_FLUSH_MAX_AGE_SECONDS": "3600"}
    process = start(slow, "carts_consumer")
    publish(environment, [event(cart_id=i) for i in range(10)])
    address = _address(process)
    until(lambda: "consumer_messages_received_total 10.0" in _get(f"{address}/metrics")[1], "receiving")
    os.kill(process.pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=40)
    assert process.returncode == 0, output
    assert len(rows(environment, "select event_id from {raw}.carts_events")) == 10
    assert '"level": "error"' not in output


def test_the_circuit_opens_on_a_flood_of_invalid_messages_and_says_why(environment: dict[str, str]) -> None:
    process = start(environment, "carts_consumer")
    address = _address(process)
    publish(environment, [b"{}"] * 1200)
    until(lambda: "invalid messages in a row" in _get(f"{address}/readyz")[1], "the circuit opening")
    assert _get(f"{address}/readyz")[0] == 503
    assert _get(f"{address}/livez")[0] == 200
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=40)
    assert process.returncode == 0


def test_a_column_added_to_the_table_is_filled_without_a_restart(environment: dict[str, str]) -> None:
    process = start(environment, "carts_consumer")
    address = _address(process)

    def appended(cart_id: int) -> bool:
        return cart_id in {row["cart_id"] for row in rows(environment, "select cart_id from {raw}.carts_events")}

    publish(environment, [event(cart_id=1, coupon="early")])
    until(lambda: appended(1), "the first row")
    rows(environment, "alter table {raw}.carts_events add column coupon string")
    publish(environment, [event(cart_id=2, coupon="unknown yet")])  # its answer tells of the column
    until(lambda: appended(2), "the second row")
    publish(environment, [event(cart_id=3, coupon="ten off"), event(cart_id=4, coupon=5), event(cart_id=5)])
    until(lambda: appended(5), "the last rows")
    metrics = _get(f"{address}/metrics")[1]
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=40)
    assert process.returncode == 0
    found = rows(environment, "select cart_id, coupon from {raw}.carts_events order by cart_id")
    assert [row["coupon"] for row in found] == [None, None, "ten off", None, None]
    assert 'consumer_added_column_values_unfit_total{column="coupon"} 1.0' in metrics


def test_a_missing_subscription_is_one_sentence(environment: dict[str, str]) -> None:
    done = run({**environment, "EYDP_SUBSCRIPTION": "nowhere"}, "carts_consumer", code=78)
    assert "/subscriptions/nowhere does not exist: create it with `eydp provision`" in done.stderr
    assert "Traceback" not in done.stderr


def _address(process: Any) -> str:
    for line in process.stdout:
        if match := re.search(r'"metrics_port": (\d+)', line):
            return f"http://127.0.0.1:{match[1]}"
    raise AssertionError("the consumer ended before it started")


def _get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - the test made the address
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
