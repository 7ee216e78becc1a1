"""How a program ends: by signals, by a person's mistake, by trouble of the environment, by a bug."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from google.api_core import exceptions as google

from dataplatform import errors
from dataplatform.runtime import Stop, run

ROOT = Path(__file__).parents[3]
PROGRAM = """
import asyncio, sys
from dataplatform.runtime import Stop, run

async def main() -> int:
    stop = Stop()
    stop.install()
    print("running", flush=True)
    await stop.wait()
    print("draining", flush=True)
    {drain}
    return 0

sys.exit(run(main))
"""
WAIT_SECONDS = 20


@contextmanager
def program(drain: str) -> Iterator[subprocess.Popen[str]]:
    """A program that runs until a signal comes, then drains; it is surely gone after the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(drain=drain)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "common")},
    )
    with process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "running\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_program_drain_and_end_well(number: signal.Signals) -> None:
    with program("await asyncio.sleep(0)") as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=WAIT_SECONDS)
        assert (process.returncode, out, err) == (0, "draining\n", "")


@pytest.mark.parametrize(
    ("first", "second"),
    [(signal.SIGTERM, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT), (signal.SIGINT, signal.SIGINT)],
)
def test_a_second_signal_ends_the_program_at_once(first: signal.Signals, second: signal.Signals) -> None:
    with program("await asyncio.sleep(3600)") as process:
        process.send_signal(first)
        assert process.stdout
        assert process.stdout.readline() == "draining\n"
        process.send_signal(second)
        assert process.wait(WAIT_SECONDS) == 128 + second


def raising(error: BaseException) -> Callable[[], int]:
    """A run of a program that ends in this error."""

    async def main() -> int:
        raise error

    return lambda: run(main)


EXITS = [
    (errors.PlatformError("it broke."), 70, "it broke."),
    (errors.InvalidDataError("20 rows are missing."), 65, "20 rows are missing."),
    (errors.UnavailableError("the shop does not answer."), 69, "the shop does not answer."),
    (errors.BusyError("another run is at it."), 75, "another run is at it."),
    (errors.ConfigurationError("EYDP_PROJECT is required."), 78, "EYDP_PROJECT is required."),
    (google.NotFound("no such topic"), 78, "no such topic"),
    (google.ServiceUnavailable("try later"), 69, "try later"),
    (ExceptionGroup("tasks", [errors.BusyError("one task says so.")]), 75, "one task says so."),
    (ExceptionGroup("tasks", [ExceptionGroup("inner", [google.Forbidden("not yours")])]), 78, "not yours"),
]


@pytest.mark.parametrize(("error", "code", "sentence"), EXITS)
def test_an_error_that_a_person_or_time_can_mend_is_one_sentence_and_a_code(
    capsys: pytest.CaptureFixture[str], error: Exception, code: int, sentence: str
) -> None:
    assert raising(error)() == code
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert sentence in told
    assert told.count("\n") == 1
    assert "Traceback" not in told


@pytest.mark.parametrize("error", [ValueError("a bug"), ExceptionGroup("two", [ValueError("a"), ValueError("b")])])
def test_a_bug_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        raising(error)()
    assert caught.value is error


def test_ctrl_c_before_signals_are_handled_is_exit_code_130() -> None:
    assert raising(KeyboardInterrupt())() == 130


def test_the_code_that_main_returns_is_the_exit_code() -> None:
    async def main() -> int:
        return 3

    assert run(main) == 3


async def test_waiting_for_a_stop_ends_early_when_somebody_asks_and_late_when_nobody_does() -> None:
    stop = Stop()
    assert await stop.wait_for(0.01) is False
    assert not stop.requested
    stop.set()
    assert await stop.wait_for(3600) is True
    assert stop.requested
