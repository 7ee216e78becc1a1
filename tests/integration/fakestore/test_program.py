"""The program as the supervisor runs it."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen

import psutil
import pytest

from support import golden

DEADLINE_SECONDS = 30


@contextmanager
def program(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "localcloud.fakestore", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            word, address = process.stdout.readline().split()
            assert word == "listening"
            yield process, address
        finally:
            process.kill()


def get(address: str, path: str) -> bytes:
    with urlopen(Request(f"http://{address}{path}"), timeout=DEADLINE_SECONDS) as answer:
        return bytes(answer.read())


def test_it_says_where_it_listens_and_answers_there() -> None:
    with program("--port", "0") as (_, address):
        host, _, port = address.partition(":")
        assert host == "127.0.0.1"
        assert int(port) > 0
        assert len(json.loads(get(address, "/products"))) == golden.PRODUCTS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_code_zero_and_nothing_on_stderr(number: signal.Signals) -> None:
    with program() as (process, address):
        get(address, "/carts")
        process.send_signal(number)
        _, errors = process.communicate(timeout=DEADLINE_SECONDS)

    assert (process.returncode, errors) == (0, "")


def test_a_hanging_answer_does_not_keep_it_from_ending() -> None:
    with program() as (process, address):
        body = json.dumps({"kind": "hang"}).encode()
        with urlopen(Request(f"http://{address}/_admin/misbehave", body), timeout=DEADLINE_SECONDS):
            pass
        host, _, port = address.partition(":")
        with socket.create_connection((host, int(port)), timeout=DEADLINE_SECONDS) as client:
            client.sendall(b"GET /carts HTTP/1.1\r\nHost: shop\r\nUser-Agent: test\r\n\r\n")
            while not json.loads(get(address, "/_admin/state"))["misbehaviours"]["served"]:
                pass
            process.terminate()
            _, errors = process.communicate(timeout=DEADLINE_SECONDS)

    assert (process.returncode, errors) == (0, "")


def test_a_taken_port_is_one_sentence_and_code_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finished = subprocess.run(
            [sys.executable, "-m", "localcloud.fakestore", "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )

    assert finished.returncode == 1
    assert finished.stdout == ""
    assert finished.stderr.count("\n") == 1
    assert f"127.0.0.1:{port}" in finished.stderr


def test_memory_does_not_grow_with_the_size_of_an_answer() -> None:
    with program("--carts", "200000", "--products", "1000") as (process, address):
        get(address, "/carts?limit=1000")
        before = psutil.Process(process.pid).memory_info().rss
        body = get(address, "/carts")
        grown = psutil.Process(process.pid).memory_info().rss - before

    assert body.count(b'"userId"') == 200_000
    assert grown < len(body) / 4
