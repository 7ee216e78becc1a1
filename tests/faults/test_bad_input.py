"""Whatever is published, each message becomes a row or stands in quarantine with the right reason, and all add up.

The consumer runs as a program against the embedded stack. What is right is said twice, by the mutation that made a
message and by an oracle that reads its bytes. `tests/unit/consumer/test_bad_input.py` does the same with its stages.
"""

import asyncio
import base64
import json
import random
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from google.pubsub_v1 import types

from dataplatform import clients
from dataplatform.envelope import read_lines
from dataplatform.models import partition_range
from support.bad_input.generated import drawn
from support.bad_input.message import Message
from support.bad_input.mutations import heavy, mutated
from support.bad_input.oracle import VALID, judge, microseconds
from support.bad_input.writing import SECRET
from support.findings import Findings
from support.programs import own_names, run, until
from support.pubsub import archived, emulators, rows

#: Messages in one publish request.
_REQUEST = 500
#: Larger originals need not stand in the table; a row of BigQuery may have 10 MB, base64 adds a third.
_LARGE = 5_000_000
_MAX_ROW = 9_500_000


def _say(text: str) -> None:
    print(text)  # noqa: T201 - pytest shows it when the test fails, or with -s


@dataclass(frozen=True, slots=True)
class _Consumer:
    """A running consumer: its process, the address of its servers, and where its log goes."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path

    def get(self, page: str) -> str:
        with urllib.request.urlopen(f"{self.address}/{page}", timeout=20) as answer:  # noqa: S310 - the test made it
            text: str = answer.read().decode()
        return text

    def count(self, metric: str) -> int:
        found = re.search(rf"^consumer_{metric}_total (\S+)$", self.get("metrics"), re.MULTILINE)
        return int(float(found[1])) if found else 0

    @property
    def peak_mib(self) -> float:
        """The most memory that it had at any time; its own account, so that no moment is missed."""
        status = Path(f"/proc/{self.process.pid}/status")
        if status.exists():
            found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8"))
            assert found
            return int(found[1]) / 1024
        return float(psutil.Process(self.process.pid).memory_info().rss) / (1 << 20)


@contextmanager
def _consumer(environment: Mapping[str, str], log: Path) -> Iterator[_Consumer]:
    """Run a consumer while the block runs; it is gone afterwards. Its log goes to a file, which never fills up."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "carts_consumer"], env=dict(environment), stdout=output, stderr=subprocess.STDOUT
        )

    def port() -> re.Match[str] | None:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        return re.search(r'"metrics_port": (\d+)', log.read_text(encoding="utf-8"))

    try:
        until(lambda: port() is not None, "the consumer's start")
        found = port()
        assert found
        yield _Consumer(process, f"http://127.0.0.1:{found[1]}", log)
    finally:
        process.kill()
        process.wait(timeout=20)
        _say(f"the consumer's log ends with:\n{log.read_text(encoding='utf-8')[-4_000:]}")


async def _publish(environment: Mapping[str, str], messages: Sequence[Message]) -> list[str]:
    """Publish in order, in requests of less than half of what Pub/Sub takes; return the message ids."""
    topic = f"projects/{environment['EYDP_PROJECT']}/topics/{environment['EYDP_TOPIC']}"
    client = clients.publisher_client(emulators(environment))
    ids: list[str] = []
    request: list[Any] = []
    size = 0
    for place, message in enumerate(messages, 1):
        request.append(types.PubsubMessage(data=message.data, attributes=message.attributes))
        size += len(message.data)
        following = len(messages[place].data) if place < len(messages) else 0
        if len(request) == _REQUEST or size + following > 4_000_000 or place == len(messages):
            answer = await client.publish(topic=topic, messages=request, retry=None, timeout=60)
            ids += answer.message_ids
            request, size = [], 0
    await client.transport.close()
    return ids


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What tables and bucket hold, by message id; payloads are sets, because a message may be written twice."""

    appended: list[dict[str, Any]]
    quarantined: dict[str, dict[str, Any]]
    lines: Mapping[str, set[bytes]]
    kept: Mapping[str, set[bytes]]

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "_Outcome":
        appended = rows(
            environment,
            "select message_id, event_id, event_type, source, epoch, cart_id, version, user_id, cart_date, "
            "total_items, observed_at, payload from {raw}.carts_events",
        )
        entries = rows(environment, "select message_id, reason, stage, detail, original from {raw}.quarantine")
        return cls(
            appended,
            {entry["message_id"]: entry for entry in entries},
            _payloads(environment, "carts_events/"),
            _payloads(environment, "quarantine/"),
        )

    def faults(self, key: str, message: Message, reasons: frozenset[str]) -> Iterator[str]:
        """Yield what is wrong with one message."""
        found = self.quarantined[key]["reason"] if key in self.quarantined else VALID if key in self.lines else "lost"
        if found not in reasons:
            yield f"{found} in place of {sorted(reasons)}"
        if key in self.quarantined:
            yield from _entry_faults(self.quarantined[key], message)
        if key in self.quarantined and key in self.lines:
            yield "it is both archived and in quarantine"
        if (self.kept if key in self.quarantined else self.lines).get(key) != {message.data}:
            yield "the bucket does not give back what was received"


def _payloads(environment: Mapping[str, str], prefix: str) -> Mapping[str, set[bytes]]:
    found: dict[str, set[bytes]] = defaultdict(set)
    for text in archived(environment, prefix):
        for line in read_lines(text):
            found[line.fields["message_id"]].add(line.payload)
    return found


def _entry_faults(entry: Mapping[str, Any], message: Message) -> Iterator[str]:
    if entry["stage"] != "decode":
        yield f"it was found at the stage {entry['stage']}: {entry['detail'][:200]}"
    if SECRET in entry["detail"]:
        yield "the detail quotes the payload"
    original = base64.b64decode(entry["original"])
    if original != message.data and (original or len(message.data) < _LARGE):
        yield "the table does not hold the original bytes"  # what does not fit a row stands in the bucket only
    if len(entry["original"]) > _MAX_ROW:
        yield "its row is larger than BigQuery takes"


def _row_faults(row: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[str]:
    found = {**row, "user_id": row["user_id"] or 0, "observed_at": microseconds(row["observed_at"])}
    found["cart_date"] = microseconds(row["cart_date"]) if row["cart_date"] else 0
    for name in sorted(found.keys() & expected.keys()):
        if found[name] != expected[name]:
            yield f"column {name} differs"


def _fields(payload: Any) -> Any:
    """Return which fields an event has, at which place. Not the values: the table may hold numbers in other forms."""
    value = json.loads(payload) if isinstance(payload, str | bytes) else payload
    return _shape(value)


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shape(inner) for name, inner in value.items()}
    return [_shape(inner) for inner in value] if isinstance(value, list) else type(value) is str and value


def _check(environment: Mapping[str, str], published: Mapping[str, Message]) -> Counter[str]:
    """Compare tables and bucket with what was published; return how many messages had each outcome."""
    days = partition_range(datetime.now(UTC))
    verdicts = {key: judge(message.data, days) for key, message in published.items()}
    outcome = _Outcome.of(environment)
    findings = Findings()
    for key, message in published.items():
        reasons = verdicts[key].reasons
        findings.unless(
            message.expected in {None, *reasons}, f"{message.kind}: the oracle says otherwise", message.data
        )
        for fault in outcome.faults(key, message, reasons):
            findings.add(f"{message.kind}: {fault}", message.data)
    counts = Counter(entry["reason"] for entry in outcome.quarantined.values()) + Counter({VALID: len(outcome.lines)})
    _say(f"{len(outcome.appended)} rows; {dict(counts.most_common())}")
    for row in outcome.appended:
        message = published[row["message_id"]]
        findings.unless(
            _fields(row["payload"]) == _fields(message.data), f"{message.kind}: a field is not kept", message.data
        )
        for fault in _row_faults(row, verdicts[row["message_id"]].row or {}):
            findings.add(f"{message.kind}: {fault}", message.data)
    findings.fail_on_any()
    # Published messages are archived or in quarantine; distinct events among the archived ones are rows, once each.
    assert outcome.kept.keys() == outcome.quarantined.keys()
    assert len(published) == len(outcome.lines) + len(outcome.quarantined)
    events = {str(json.loads(published[key].data)["event_id"]) for key in outcome.lines}
    assert sorted(row["event_id"] for row in outcome.appended) == sorted(events)
    return counts


def _campaign(
    environment: Mapping[str, str], messages: list[Message], log: Path, *, seconds: float, max_mib: float
) -> None:
    began = time.monotonic()
    with _consumer(environment, log) as consumer:
        ids = asyncio.run(_publish(environment, messages))
        assert len(set(ids)) == len(messages)
        until(lambda: consumer.count("messages_acknowledged") >= len(ids), "all acknowledgements", seconds=seconds)
        took = time.monotonic() - began
        assert consumer.process.poll() is None
        consumer.get("livez")  # an error when it is not 200
        consumer.get("readyz")
        peak = consumer.peak_mib
        consumer.process.send_signal(signal.SIGTERM)
        assert consumer.process.wait(timeout=60) == 0, log.read_text(encoding="utf-8")
    output = log.read_text(encoding="utf-8")
    _say(f"{len(messages)} messages in {took:.0f} s, peak {peak:.0f} MiB")
    outcomes = _check(environment, dict(zip(ids, messages, strict=True)))
    assert "Traceback" not in output, output
    assert '"level": "error"' not in output
    assert SECRET not in output
    assert sum(outcomes.values()) == len(messages)
    assert peak < max_mib


@pytest.fixture
def environment(stack_env: Mapping[str, str], tmp_path: Path) -> dict[str, str]:
    names = {**own_names(stack_env), "HOME": str(tmp_path)}
    run(names, "eydp", "provision", cwd=str(tmp_path))
    return names


def test_published_messages_are_rows_or_in_quarantine_and_add_up(environment: dict[str, str], tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    _say(f"seed {seed}")
    now = datetime.now(UTC)
    messages = [*mutated(seed, 280, now, bad_share=0.3), *drawn(seed, 20, now), *heavy(seed, 1, now, first=1_000)]
    messages += messages[:10]  # what comes twice is archived or in quarantine twice, and one row
    random.Random(seed).shuffle(messages)
    _campaign(environment, messages, tmp_path / "consumer.log", seconds=60, max_mib=500)


@pytest.mark.long
def test_100_000_published_messages_are_rows_or_in_quarantine_and_add_up(
    environment: dict[str, str], tmp_path: Path
) -> None:
    seed = random.randrange(1 << 32)
    _say(f"seed {seed}")
    now = datetime.now(UTC)
    generated = drawn(seed, 20_000, now)
    messages = [*generated, *mutated(seed, 100_000 - len(generated), now, bad_share=0.5)]
    messages += [*heavy(seed, 12, now, first=1_000_000), *messages[::100]]
    random.Random(seed).shuffle(messages)
    # Most of them are invalid, which would open the circuit; it has its own tests.
    untripped = {"EYDP_CONSUMER_CIRCUIT_MAX_RATIO": "1", "EYDP_CONSUMER_CIRCUIT_MAX_RUN": "1000000"}
    _campaign(environment | untripped, messages, tmp_path / "consumer.log", seconds=1_200, max_mib=500)
