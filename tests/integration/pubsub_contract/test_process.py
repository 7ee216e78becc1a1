"""The emulator as a program: its lines, its exit codes."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


def start(*arguments: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(ROOT / "common"), str(ROOT / "local")])
    return subprocess.Popen(
        [sys.executable, "-m", "localcloud.pubsub", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_exit_code_0(number: signal.Signals) -> None:
    with start("--port", "0") as process:
        assert process.stdout is not None
        host, port = process.stdout.readline().removeprefix("listening ").strip().split(":")
        with socket.create_connection((host, int(port))):
            process.send_signal(number)
            assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.parametrize("option", ["--port", "--rest-port", "--admin-port"])
def test_a_taken_port_is_said_in_one_sentence(option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port: Any = taken.getsockname()[1]
        arguments = ["--port", "0", option, str(port)] if option != "--port" else [option, str(port)]
        with start(*arguments) as process:
            assert process.wait(20) == 1
            assert process.stderr is not None
            lines = process.stderr.read().splitlines()
    assert len(lines) == 1
    assert "can't start" in lines[0]
    assert str(port) in lines[0]
