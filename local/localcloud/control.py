"""Bring the stack up and down from outside: what `python -m localcloud` and other commands are made of."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

from dataplatform.errors import PlatformError, UnavailableError
from localcloud.die_with_parent import die_with_parent
from localcloud.ports import option
from localcloud.services import import_path
from localcloud.stack import Stack, StackOptions
from localcloud.state import (
    ProcessId,
    StackAlreadyUpError,
    StackState,
    last_state,
    lock_holder,
    read_state,
    remove_state,
)
from localcloud.supervisor import ServiceFailedError

_POLL_SECONDS = 0.05
_DOWN_SECONDS = 30.0
_DAEMON_LOG = "supervisor.log"

type Announce = Callable[[StackState], None]


class NotStoppedError(PlatformError):
    """A process of the stack did not end, not even when it was killed."""


async def run(options: StackOptions, up: Announce) -> int:
    """Run the stack in this process until SIGINT, SIGTERM or SIGHUP; call `up` once all serve.

    Returns:
        0 after a signal, 128 and the signal's number when it came before the stack was up.

    Raises:
        PlatformError: The stack could not start, or a server ended by itself.
    """
    loop = asyncio.get_running_loop()
    received: asyncio.Future[signal.Signals] = loop.create_future()

    def stop(number: signal.Signals) -> None:
        if not received.done():
            received.set_result(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop, number)
    ready = asyncio.Event()
    running = asyncio.create_task(_run(options, up, ready))
    received.add_done_callback(lambda _: running.cancel())
    try:
        await running
    except (asyncio.CancelledError, ServiceFailedError):
        # A server may fail while the signal is being obeyed: the stack is down then, as was asked.
        if not received.done():
            raise
    return 0 if ready.is_set() else 128 + received.result()


async def _run(options: StackOptions, up: Announce, ready: asyncio.Event) -> None:
    async with Stack(options) as stack:
        up(stack.state)
        ready.set()
        await stack.failed()


def up_attached(options: StackOptions, up: Announce) -> int:
    """Run the stack in this process, and end it when the process that started this one dies. See `run`."""
    die_with_parent(os.getppid(), signal.SIGTERM)
    return asyncio.run(run(options, up))


def run_supervisor(options: StackOptions) -> int:
    """Run the stack in this process until a signal, whoever else dies: what `up_detached` starts. See `run`."""
    return asyncio.run(run(options, lambda _state: None))


def up_detached(options: StackOptions) -> StackState:
    """Start a supervisor that outlives this process; return once all serve.

    Raises:
        StackAlreadyUpError: The stack is up or starting.
        UnavailableError: It could not start; the message is the supervisor's.
    """
    data_dir = options.data_dir.resolve()
    if holder := lock_holder(data_dir):
        raise StackAlreadyUpError(
            f"The stack in {data_dir} is already up or starting (process {holder.pid}); stop it with `down` first."
        )
    log = data_dir / "logs" / _DAEMON_LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        daemon = subprocess.Popen(  # noqa: S603 - this program, with options that were parsed
            [sys.executable, "-m", "localcloud", "up", "--supervisor", *arguments(options)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTHONPATH": import_path()},
            start_new_session=True,
        )
    try:
        while daemon.poll() is None:
            state = read_state(data_dir)
            if state is not None and state.supervisor.pid == daemon.pid:
                # It lives on; only this object's duty to wait for it ends.
                daemon.returncode = 0
                return state
            time.sleep(_POLL_SECONDS)
    except BaseException:
        daemon.terminate()
        daemon.wait()
        raise
    message = log.read_text(encoding="utf-8", errors="replace").strip()
    raise UnavailableError(message or f"The supervisor ended with exit code {daemon.returncode} and said nothing.")


def down(data_dir: Path) -> bool:
    """Stop the stack in `data_dir`, attached or not, up or starting; return when all its processes are gone.

    Returns:
        Whether there was one.

    Raises:
        NotStoppedError: A process did not end.
    """
    data_dir = data_dir.resolve()
    holder, state = lock_holder(data_dir), last_state(data_dir)
    if holder is not None:
        _send(holder, signal.SIGTERM)
        if not _gone([holder], _DOWN_SECONDS):
            _send(holder, signal.SIGKILL)
    processes = [*([holder] if holder else []), *(state.services.values() if state else ())]
    left = [process for process in processes if process.alive]
    if not _gone(left, _POLL_SECONDS * 20):
        # Only where the kernel does not end them with their parent.
        for process in left:
            _send(process, signal.SIGKILL)
        if not _gone(left, _DOWN_SECONDS):
            raise NotStoppedError(f"Processes {', '.join(str(process.pid) for process in left)} did not end.")
    remove_state(data_dir)
    return holder is not None


def _send(process: ProcessId, number: signal.Signals) -> None:
    if process.alive:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _gone(processes: Sequence[ProcessId], timeout_seconds: float) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while any(process.alive for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def arguments(options: StackOptions) -> list[str]:
    """Return the command line of `up` that means `options`."""
    ports = [
        f"{option(field.name)}={port}"
        for field in fields(options.ports)
        if (port := getattr(options.ports, field.name))
    ]
    return [
        f"--data-dir={options.data_dir.resolve()}",
        f"--project={options.project}",
        *ports,
        *(["--fresh"] if options.fresh else []),
        *options.source_arguments,
    ]
