"""Start the embedded stack as a process, and look for what it leaves behind."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from localcloud.services import import_path
from localcloud.state import StackState, read_state

START_SECONDS = 90.0
WAIT_SECONDS = 20.0


def until[T](condition: Callable[[], T | None], what: str, seconds: float = WAIT_SECONDS) -> T:
    """Return the first true value of `condition`; fail with `what` when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)
    return value


def localcloud(
    *arguments: str, output: Path, environment: Mapping[str, str] | None = None, session: bool = False
) -> subprocess.Popen[bytes]:
    """Start `python -m localcloud` with what it writes in `output`."""
    with output.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "localcloud", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": import_path(), **(environment or {})},
            start_new_session=session,
        )


@contextmanager
def running(data_dir: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[StackState]:
    """Run the stack in `data_dir` while the block runs."""
    output = data_dir.with_name(f"{data_dir.name}.log")
    supervisor = localcloud("up", f"--data-dir={data_dir}", *arguments, output=output, environment=environment)

    def up() -> StackState | None:
        assert supervisor.poll() is None, output.read_text(encoding="utf-8")
        return read_state(data_dir)

    try:
        yield until(up, "the stack is up", START_SECONDS)
    finally:
        supervisor.terminate()
        supervisor.wait(START_SECONDS)


def processes_of(data_dir: Path) -> list[str]:
    """Return the command of each living process that works in `data_dir`, whoever started it."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                continue
            command = " ".join(process.cmdline())
            if str(data_dir) in command or process.environ().get("TMPDIR") == str(data_dir / "tmp"):
                found.append(command)
    return found


def listening(port: int) -> bool:
    """Whether a connection to the port is accepted."""
    with socket.socket() as client:
        client.settimeout(2)
        return client.connect_ex(("127.0.0.1", port)) == 0


def gone(state: StackState, data_dir: Path) -> None:
    """Fail unless no process and no port of the stack is left within a deadline."""
    processes = [state.supervisor, *state.services.values()]

    def left() -> list[object]:
        ports = [port for port in state.ports.values() if listening(port)]
        return [*processes_of(data_dir), *ports, *(process for process in processes if process.alive)]

    until(lambda: not left(), "no process and no port of the stack is left")
