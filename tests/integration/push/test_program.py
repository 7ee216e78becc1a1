"""The push service as a process before the embedded Pub/Sub: what a client is told is true, whatever happens."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dataplatform.errors import ConfigurationError
from eydp.push import Client, Part
from support.programs import run, until

from .conftest import KEY, Program, PubSub, environment, serving

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "push.md").read_text()
OTHER_KEY = b"fedcba9876543210fedcba9876543210-the-second-key"


def cart(number: int, note: str = "") -> bytes:
    return b'{"id": %d, "userId": 3, "date": "2026-11-24T12:00:00.000Z", "products": [], "note": "%b"}' % (
        number,
        note.encode(),
    )


def example(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


def test_what_is_pushed_is_on_the_topic_as_received_and_in_order(program: Program) -> None:
    body = cart(1, "first") + b"\n" + b'{"id": 2, "deleted": true}\n' + cart(1, "second")
    assert program.push(body)[:2] == (202, '{"accepted": 3}')
    found = program.published()
    assert [(record.cart_id, record.text) for record in found if record.cart_id == 1] == [
        (1, cart(1, "first").decode()),
        (1, cart(1, "second").decode()),
    ]
    assert [record.text for record in found if record.cart_id == 2] == [None]
    assert {record.source for record in found} == {"fakestore"}


@pytest.mark.parametrize(("interpreter", "language", "number"), [("bash", "sh", 5), (sys.executable, "python", 6)])
def test_the_examples_of_the_page_work_as_they_stand(
    program: Program, interpreter: str, language: str, number: int
) -> None:
    done = subprocess.run(
        [interpreter, "-c", example(language)],
        env={"PATH": os.environ["PATH"], "PUSH_URL": program.url, "PUSH_KEY_FILE": str(program.keys / "first")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert '{"accepted": 1}' in done.stdout, done.stdout + done.stderr
    assert [record.cart_id for record in program.published()] == [number]


def test_eydp_push_sends_a_file_and_tells_which_records_are_bad(program: Program, tmp_path: Path) -> None:
    options = ("--url", program.url, "--key-file", str(program.keys / "first"), "--records", "2")
    (tmp_path / "carts.ndjson").write_bytes(b"\n".join(cart(number) for number in range(5)))
    done = run({"PATH": os.environ["PATH"]}, "eydp", "push", str(tmp_path / "carts.ndjson"), *options)
    assert done.stdout == "5 records taken\n"
    assert sorted(record.cart_id for record in program.published()) == list(range(5))
    (tmp_path / "carts.json").write_bytes(b"[" + cart(1) + b", {}]")
    done = run({"PATH": os.environ["PATH"]}, "eydp", "push", str(tmp_path / "carts.json"), *options, code=65)
    assert "record 1: no_id" in done.stderr
    assert program.published() == []


def test_keys_change_over_without_a_restart(program: Program) -> None:
    assert program.push(cart(1), key=OTHER_KEY)[0] == 401
    (program.keys / "second").write_bytes(OTHER_KEY)
    until(lambda: program.push(cart(2), key=OTHER_KEY)[0] == 202, "the new key")
    (program.keys / "second").unlink()
    until(lambda: program.push(cart(3), key=OTHER_KEY)[0] == 401, "the end of the new key")
    assert program.push(cart(4))[0] == 202
    program.published()


def test_an_outage_is_a_503_and_the_same_request_is_harmless_during_it_and_after(program: Program) -> None:
    program.pubsub.faults(reject={"method": "Publish", "code": "UNAVAILABLE"})
    body = cart(1) + b"\n" + cart(2)
    status, text, headers = program.push(body, idempotency_key="outage")
    assert (status, headers["Retry-After"]) == (503, "2")
    assert '"unavailable"' in text
    program.pubsub.faults(reject={"method": "*", "code": "UNAVAILABLE"})
    assert program.push(body)[0] == 503
    assert program.health("/readyz")[0] == 503
    assert program.health("/livez")[0] == 200
    program.pubsub.faults()
    until(lambda: program.health("/readyz")[0] == 200, "the end of the outage")
    for _ in range(3):
        assert program.push(body, idempotency_key="outage")[:2] == (202, '{"accepted": 2}')
    assert [record.cart_id for record in program.published()] == [1, 2]
    assert 'push_requests_total{status="503"}' in program.health("/metrics")[1]


def test_the_example_client_waits_out_an_outage_and_doubles_nothing(program: Program) -> None:
    program.pubsub.faults(reject={"method": "Publish", "code": "UNAVAILABLE"})
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        program.pubsub.faults()

    client = Client(program.url, KEY, patience_seconds=60, sleep=sleep)
    assert client.push(Part("application/json", cart(1))) == 1
    assert pauses == [2]
    assert [record.cart_id for record in program.published()] == [1]
    with pytest.raises(ConfigurationError, match="No active key made this signature"):
        Client(program.url, OTHER_KEY, patience_seconds=60, sleep=sleep).push(Part("application/json", cart(1)))


def test_neither_key_nor_body_is_ever_logged(program: Program) -> None:
    program.push(cart(1, "PRIVATE"))
    program.push(b'{"id": 1, "PRIVATE"')
    program.push(b'{"id": "PRIVATE"}')
    program.push(cart(1, "PRIVATE"), key=OTHER_KEY)
    program.pubsub.faults(reject={"method": "Publish", "code": "UNAVAILABLE"})
    program.push(cart(2, "PRIVATE"), idempotency_key="PRIVATE")
    program.pubsub.faults()
    program.published()
    assert program.logged("publishing failed")
    for secret in ("PRIVATE", KEY.decode(), OTHER_KEY.decode()):
        assert secret not in program.said
    until(lambda: program.health("/readyz")[0] == 200, "the end of the outage")


def test_sigterm_finishes_what_is_at_work_and_ends_well(pubsub: PubSub, tmp_path: Path) -> None:
    with serving(pubsub, tmp_path) as program, ThreadPoolExecutor(8) as pool:
        url = program.url
        pubsub.faults(delay_seconds=0.5)
        waiting = [pool.submit(program.push, cart(number)) for number in range(8)]
        until(lambda: "push_requests_in_flight 8.0" in program.health("/metrics")[1], "eight requests at work")
        assert program.terminate() == 0
        pubsub.faults()
        assert [answer.result()[0] for answer in waiting] == [202] * 8, url
        assert sorted(record.cart_id for record in program.published()) == list(range(8))
        assert program.logged("push service stopped")


@pytest.mark.long
@pytest.mark.parametrize(
    ("key", "sentence"), [(None, "holds 0 keys"), (KEY, "topic projects/nowhere/topics/carts-pushed does not exist")]
)
def test_without_keys_or_topic_the_program_says_so_in_a_sentence_and_ends(
    pubsub: PubSub, tmp_path: Path, key: bytes | None, sentence: str
) -> None:
    if key:
        (tmp_path / "first").write_bytes(key)
    done = run(environment(pubsub, "nowhere", tmp_path), "carts_poller.push", code=78, cwd=str(tmp_path))
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
