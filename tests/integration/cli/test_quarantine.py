"""`eydp quarantine` against the embedded stack and a consumer that runs: nothing is lost, nothing is doubled."""

import json
import random
import select
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from dataplatform import redrive
from dataplatform.schemas import QUARANTINE
from eydp.environment import context
from eydp.redrive.publisher import Outgoing
from eydp.redrive.wiring import Tools, working_with
from localcloud.state import StackState
from support.events import event, received
from support.programs import until
from support.pubsub import archived, publish
from support.redrive import World, kill, world

OLD_REASON = "observed_at_out_of_range"


@pytest.fixture(scope="module")
def platform(
    stack: StackState, stack_env: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with world(stack, stack_env, tmp_path_factory.mktemp("quarantine")) as made:
        yield made


def _valid(cart_id: int) -> Any:
    return received(event(cart_id=cart_id), message_id=f"old-{cart_id}")


def _ledger(platform: World, entry_id: str) -> list[tuple[str, int]]:
    found = platform.rows(
        f"select action, attempt from {{raw}}.quarantine_actions where quarantine_id = '{entry_id}' "  # noqa: S608 - the test's own id
        "order by acted_at, attempt"
    )
    return [(row["action"], row["attempt"]) for row in found]


def _state(platform: World, entry_id: str) -> tuple[str, int]:
    entry = platform.entries()[entry_id]
    return entry["state"], entry["attempts"]


@contextmanager
def holding(address: str, word: bytes, seconds: float | None = None) -> Iterator[tuple[str, threading.Event]]:
    """Pass HTTP on to `address`; give the proxy's address, and the event that a request whose body holds `word` came.

    Such a request is held, and passed on after `seconds` when whoever sent it still lives; never, without a number.
    """
    target = urlsplit(address).netloc
    came, ended = threading.Event(), threading.Event()

    class Passing(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            with suppress(ConnectionError):  # whoever asked was killed
                super().handle()

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if word in body:
                came.set()
                if ended.wait(seconds) or self._is_alone():
                    self.close_connection = True
                    return
            connection = HTTPConnection(target, timeout=30)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "accept-encoding"}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
            connection.close()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _is_alone(self) -> bool:
            """Whether the other side is gone: its end of the connection is closed."""
            readable, _, _ = select.select([self.connection], [], [], 0)
            return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815 - the names are the base class's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Passing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", came
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_invalid_message_is_listed_shown_and_comes_back_as_the_same_entry(platform: World) -> None:
    bad = json.dumps(event(cart_id=100, schema_version=9)).encode()
    publish(platform.environment, [bad, b"\xff\x00", event(cart_id=101)])
    platform.settled()
    (entry_id,) = platform.entries(reason="schema_version")
    assert (
        platform.entries()[entry_id] | {"entity": "carts_events", "state": "open", "attempts": 0}
        == (platform.entries()[entry_id])
    )
    objects = set(archived(platform.environment, "quarantine/"))

    shown = platform.eydp("quarantine", "show", entry_id, "--json").json
    assert shown["payload"].encode() == bad
    assert shown["attributes"] == {"source": "test"}
    assert shown["consumer_now"].startswith("schema_version")
    assert shown["raw_uri"].startswith(f"gs://{platform.environment['EYDP_BUCKET']}/quarantine/carts_events/")
    told = platform.eydp("quarantine", "redrive", entry_id).out
    assert told == "1 entry published again; this version's consumer refuses 1 schema_version\n"

    platform.settled()
    assert _state(platform, entry_id) == ("open", 1)
    assert len(platform.entries(reason="schema_version")) == 1
    # A copy, as a run that died leaves it, is the same return once more.
    before = len(platform.rows("select 1 as one from {raw}.quarantine"))
    copy = redrive.marked({"source": "test"}, entry_id, 1, shown["occurrences"][0]["message_id"])
    _publish(Outgoing(bad, copy))
    platform.settled()
    assert len(platform.rows("select 1 as one from {raw}.quarantine")) == before + 1
    shown = platform.eydp("quarantine", "show", entry_id, "--json").json
    assert [(time["after_redrive"], time["reason"]) for time in shown["occurrences"]] == [
        (0, "schema_version"),
        (1, "schema_version"),
    ]
    assert [(action["action"], action["attempt"]) for action in shown["actions"]] == [
        ("redrive_started", 1),
        ("redriven", 1),
    ]
    assert shown["payload"].encode() == bad
    assert set(archived(platform.environment, "quarantine/")) > objects


def _publish(message: Outgoing) -> None:
    async def send(tools: Tools) -> None:
        async with tools.publisher() as publisher:
            await publisher.publish([message])

    working_with(context(), send)


def test_what_is_valid_by_now_becomes_one_row_and_its_entry_is_closed(platform: World) -> None:
    ids = platform.quarantine([_valid(cart_id) for cart_id in (200, 201, 202)], OLD_REASON)
    planned = platform.eydp("quarantine", "redrive", *ids, "--dry-run").out
    assert planned == "3 entries would be published again\n"
    assert _ledger(platform, ids[0]) == []
    platform.eydp("quarantine", "redrive", *ids)
    platform.settled()
    again = platform.eydp("quarantine", "redrive", *ids).out
    assert "nothing to redrive" in again
    assert all(entry_id in again for entry_id in ids)
    assert {_state(platform, entry_id) for entry_id in ids} == {("redriven", 1)}
    assert platform.carts(200, 201, 202) == [200, 201, 202]


def test_killed_between_publish_and_ledger_it_ends_in_one_row_and_keeps_others_out_meanwhile(platform: World) -> None:
    ids = platform.quarantine([_valid(cart_id) for cart_id in (300, 301)], OLD_REASON)
    published = platform.published()
    with holding(platform.environment["BIGQUERY_EMULATOR_HOST"], b'"redriven"') as (address, came):
        dying = platform.start("quarantine", "redrive", *ids, "--lease-seconds", "10", BIGQUERY_EMULATOR_HOST=address)
        assert came.wait(30), "the ledger was not written"
        busy = platform.eydp("quarantine", "redrive", *ids, code=75).err
        kill(dying)
    assert "is at it, and nothing was done" in busy
    assert platform.published() == published + 2
    assert {_state(platform, entry_id) for entry_id in ids} == {("in doubt", 1)}
    platform.settled()

    platform.lease_ran_out("quarantine")
    assert platform.eydp("quarantine", "redrive", *ids, "--json").json["again"] == 2
    assert platform.published() == published + 4
    assert [_ledger(platform, entry_id) for entry_id in ids] == [
        [("redrive_started", 1), ("redrive_started", 1), ("redriven", 1)]
    ] * 2
    assert {_state(platform, entry_id) for entry_id in ids} == {("redriven", 1)}
    platform.settled()
    assert platform.carts(300, 301) == [300, 301]


@pytest.mark.long
def test_killed_before_publishing_nothing_is_lost(platform: World) -> None:
    (entry_id,) = platform.quarantine([_valid(400)], OLD_REASON)
    published = platform.published()
    with platform.refusing("Publish"):
        dying = platform.start("quarantine", "redrive", entry_id, "--lease-seconds", "10")
        until(lambda: _ledger(platform, entry_id) == [("redrive_started", 1)], "the start in the ledger", seconds=30)
        kill(dying)
    assert platform.published() == published
    assert _state(platform, entry_id) == ("in doubt", 1)
    assert "in doubt" in platform.eydp("quarantine", "list", "--state", "open").out
    # Discarding needs no answer to what became of it; the copy that may exist would come back discarded.
    platform.lease_ran_out("quarantine")
    platform.eydp("quarantine", "discard", entry_id, "--note", "given up")
    assert _state(platform, entry_id) == ("discarded", 1)
    assert "not open, left alone" in platform.eydp("quarantine", "redrive", entry_id).out
    assert platform.published() == published


@pytest.mark.long
@pytest.mark.timeout(600)
def test_killed_at_random_moments_every_entry_ends_in_one_row(platform: World) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when the test fails
    rng = random.Random(seed)
    carts = list(range(10_000, 13_000))
    for start in range(0, len(carts), 500):
        platform.quarantine([_valid(cart_id) for cart_id in carts[start : start + 500]], "wrong_value")
    published = platform.published()
    deaths = 0
    # A ledger that answers late leaves more redrives in doubt.
    with holding(platform.environment["BIGQUERY_EMULATOR_HOST"], b'"redriven"', 1) as (address, _):
        while not _ended_before(platform, address, rng if deaths < 8 else None):
            deaths += 1
            print(f"death {deaths} after {platform.published() - published} messages")  # noqa: T201 - what was hit
            platform.lease_ran_out("quarantine")
    platform.settled()
    assert deaths > 0
    assert platform.carts(*carts) == carts
    counted = platform.eydp("quarantine", "list", "--state", "all", "--reason", "wrong_value", "--summary", "--json")
    assert [(row["state"], row["entries"]) for row in counted.json] == [("redriven", len(carts))]
    print(f"{platform.published() - published - len(carts)} copies of {len(carts)} events")  # noqa: T201 - the campaign's figure


def _ended_before(platform: World, address: str, rng: random.Random | None) -> bool:
    """Redrive, and die soon after the first publish or at any moment; say whether it had ended before."""
    before = platform.published()
    command = ("quarantine", "redrive", "--reason", "wrong_value", "--lease-seconds", "10")
    run = platform.start(*command, BIGQUERY_EMULATOR_HOST=address)
    if rng is None:
        return run.wait(120) == 0
    until(lambda: run.poll() is not None or platform.lease_is_held("quarantine"), "the lease", seconds=30)
    if rng.random() < 0.7:
        until(lambda: run.poll() is not None or platform.published() > before, "the first publish", seconds=30)
    try:
        return run.wait(rng.uniform(0, 1.2)) == 0
    except subprocess.TimeoutExpired:
        kill(run)
        return False


def test_records_of_a_batch_are_not_published_and_can_be_discarded_with_a_reason(platform: World) -> None:
    row = {
        "quarantine_id": "product-1",
        "entity": "products",
        "stage": "parse",
        "reason": "wrong_type",
        "detail": "price: Input should be a number, not text",
        "original": "e30=",
        "quarantined_at": "2026-11-20T06:00:00Z",
        "raw_uri": f"gs://{platform.environment['EYDP_BUCKET']}/quarantine/products/x.jsonl.gz",
    }

    async def load(tools: Tools) -> None:
        table = tools.platform.raw_table(QUARANTINE.name)
        await tools.warehouse.load_rows([row], table, QUARANTINE.columns, job_id="by-hand")

    working_with(context(), load)
    published = platform.published()
    told = platform.eydp("quarantine", "redrive", "--entity", "products").out.splitlines()
    assert told[0].startswith("1 of products did not come through Pub/Sub")
    assert "eydp batch --entity products" in told[0]
    assert told[-1] == "nothing to redrive"
    assert platform.eydp("quarantine", "list", "--day", "2026-11-20").out.splitlines()[1].split()[0] == "product-1"
    assert "product-1" not in platform.eydp("quarantine", "list", "--day", "2026-11-21").out

    told_discard = platform.eydp("quarantine", "discard", "--entity", "products", "--note", "the shop mended it").out
    assert told_discard == "1 entry discarded; the bytes stay in the bucket\n"
    assert _state(platform, "product-1") == ("discarded", 0)
    notes = platform.rows("select note from {raw}.quarantine_actions where quarantine_id = 'product-1'")
    assert [note["note"] for note in notes] == ["the shop mended it"]
    assert platform.published() == published
    assert "product-1" in platform.eydp("quarantine", "list", "--state", "discarded", "--csv").out
    assert platform.eydp("quarantine", "discard", "--entity", "products", "--note", "x").out == "nothing to discard\n"


@pytest.mark.long
def test_what_is_too_large_for_a_row_is_shown_and_redriven_from_its_object(platform: World) -> None:
    large = b"[" + b"1," * 2_900_000 + b"1]"
    publish(platform.environment, [large])
    platform.settled()
    (row,) = platform.rows("select quarantine_id from {raw}.quarantine where original = ''")
    entry_id = row["quarantine_id"]
    shown = platform.eydp("quarantine", "show", entry_id, "--max-bytes", "10", "--json").json
    assert (shown["payload"], shown["payload_bytes"]) == ("[1,1,1,1,1", len(large))
    platform.eydp("quarantine", "redrive", entry_id)
    platform.settled()
    assert _state(platform, entry_id) == ("open", 1)


def test_counts_by_reason_add_up_to_the_list(platform: World) -> None:
    platform.quarantine([_valid(cart_id) for cart_id in (500, 501)], "too_large")
    counted = platform.eydp("quarantine", "list", "--state", "all", "--summary", "--json").json
    assert sum(row["entries"] for row in counted) == len(platform.entries())
    assert [row["entries"] for row in counted if row["reason"] == "too_large"] == [2]
    done = platform.eydp("quarantine", "list", "--reason", "too_large", "--limit", "1", "--json")
    assert len(done.json) == 1
    assert "1 of 2 entries" in done.err


def test_an_unknown_entry_is_one_sentence(platform: World) -> None:
    for command in (["redrive"], ["show"], ["discard", "--note", "x"]):
        assert platform.eydp("quarantine", *command, "nowhere", code=65).err == (
            "error: quarantine holds no entry nowhere\n"
        )


def test_a_table_that_is_missing_is_one_sentence(platform: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYDP_DATASET_RAW", "nowhere")
    (sentence,) = platform.eydp("quarantine", "list", code=78).err.splitlines()
    assert "`eydp provision`" in sentence
