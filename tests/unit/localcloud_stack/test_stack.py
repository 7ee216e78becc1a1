"""A stack of small programs in place of the servers: what the supervisor does when one of them misbehaves."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from dataplatform.clock import SystemClock
from localcloud.ports import Ports
from localcloud.process import Child
from localcloud.readiness import NotReadyError
from localcloud.services import Service
from localcloud.stack import Services, Stack, StackOptions
from localcloud.state import ProcessId, StackAlreadyUpError, lock_holder, read_state
from localcloud.supervisor import ServiceFailedError

TOUCH_AND_SLEEP = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
IGNORE_SIGTERM = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {TOUCH_AND_SLEEP}"


def program(data_dir: Path, name: str, code: str = TOUCH_AND_SLEEP) -> Service:
    """A program that serves, so to speak, as soon as its file is there."""
    ready = data_dir / f"{name}.ready"

    async def probe() -> None:
        if not ready.exists():
            raise NotReadyError(f"{name} has not written its file")

    return Service(name, f"{name} program", (sys.executable, "-c", code, str(ready)), probe, dict(os.environ))


def of(*programs: Callable[[Path], Service]) -> Services:
    def services(_ports: Ports, _project: str, data_dir: Path, _arguments: tuple[str, ...]) -> Sequence[Service]:
        return [make(data_dir) for make in programs]

    return services


def good(name: str) -> Callable[[Path], Service]:
    return lambda data_dir: program(data_dir, name)


def coded(name: str, code: str) -> Callable[[Path], Service]:
    return lambda data_dir: program(data_dir, name, code)


def stack(
    data_dir: Path, services: Services, *, ready_timeout_seconds: float = 60, stop_timeout_seconds: float = 60
) -> Stack:
    options = StackOptions(
        data_dir=data_dir,
        ready_timeout_seconds=ready_timeout_seconds,
        stop_timeout_seconds=stop_timeout_seconds,
    )
    return Stack(options, SystemClock(), services)


async def test_all_run_within_the_block_and_none_after_it(tmp_path: Path) -> None:
    async with stack(tmp_path, of(good("one"), good("two"))) as running:
        state = running.state
        assert read_state(tmp_path) == state
        assert [process.alive for process in state.services.values()] == [True, True]
        assert running.environment()["PUBSUB_EMULATOR_HOST"] == f"127.0.0.1:{state.ports['pubsub']}"

    assert [process.alive for process in state.services.values()] == [False, False]
    assert read_state(tmp_path) is None
    assert lock_holder(tmp_path) is None


async def test_one_that_ends_before_it_is_ready_is_named_with_its_last_lines(tmp_path: Path) -> None:
    code = "import sys; print('\\n'.join(f'line {n}' for n in range(100))); sys.exit(3)"

    with pytest.raises(ServiceFailedError) as failed:
        async with stack(tmp_path, of(good("one"), coded("broken", code))):
            pytest.fail("it came up")

    message = str(failed.value)
    assert message.startswith("The broken program (broken) ended with exit code 3 before it was ready.\n")
    assert str(tmp_path / "logs" / "broken.log") in message
    assert message.endswith("    line 98\n    line 99")
    assert "line 1\n" not in message
    assert lock_holder(tmp_path) is None


async def test_one_that_is_never_ready_is_named_with_its_last_answer(tmp_path: Path) -> None:
    with pytest.raises(ServiceFailedError) as failed:
        async with stack(tmp_path, of(coded("slow", "import time; time.sleep(600)")), ready_timeout_seconds=0.3):
            pytest.fail("it came up")

    message = str(failed.value)
    assert "slow program (slow) was not ready within 0.3 s (slow has not written its file)" in message
    assert "It wrote nothing to" in message


async def test_a_command_that_does_not_exist_is_told(tmp_path: Path) -> None:
    def missing(data_dir: Path) -> Service:
        service = program(data_dir, "missing")
        return Service(service.name, service.title, ("/no/such/program",), service.probe, {})

    with pytest.raises(ServiceFailedError, match=r"exit code 127[^$]*/no/such/program can't be run"):
        async with stack(tmp_path, of(missing)):
            pytest.fail("it came up")


async def death(running: Stack, name: str) -> None:
    """Kill a program and return when the stack has seen it."""
    os.kill(running.state.services[name].pid, signal.SIGKILL)
    with pytest.raises(ServiceFailedError):
        await running.failed()


async def test_one_that_dies_later_ends_the_others_and_is_raised_at_the_end_of_the_block(tmp_path: Path) -> None:
    others: list[ProcessId] = []

    async def block() -> None:
        async with stack(tmp_path, of(good("one"), good("two"))) as running:
            others.append(running.state.services["one"])
            await death(running, "two")
            assert not others[0].alive

    with pytest.raises(ServiceFailedError, match=r"two program \(two\) ended with SIGKILL"):
        await block()
    assert others


async def test_an_error_of_the_block_is_not_hidden_by_a_death(tmp_path: Path) -> None:
    async def block() -> None:
        async with stack(tmp_path, of(good("one"))) as running:
            await death(running, "one")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await block()


async def test_one_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    async with stack(tmp_path, of(coded("deaf", IGNORE_SIGTERM)), stop_timeout_seconds=0.2) as running:
        process = running.state.services["deaf"]

    assert not process.alive


async def test_what_a_service_started_ends_with_it(tmp_path: Path) -> None:
    code = (
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "file = pathlib.Path(sys.argv[1])\n"
        "file.with_suffix('.tmp').write_text(str(child.pid))\n"
        "file.with_suffix('.tmp').replace(file)\n"
        "time.sleep(600)\n"
    )
    async with stack(tmp_path, of(coded("parent", code))):
        grandchild = ProcessId.of(int((tmp_path / "parent.ready").read_text(encoding="ascii")))
        assert grandchild is not None

    assert not grandchild.alive


async def test_a_second_stack_in_the_folder_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    async with stack(tmp_path, of(good("one"))) as running:
        with pytest.raises(StackAlreadyUpError, match=str(os.getpid())):
            async with stack(tmp_path, of(good("one"))):
                pytest.fail("it came up")

        assert read_state(tmp_path) == running.state


async def test_a_stack_can_be_started_again_after_it_failed(tmp_path: Path) -> None:
    again = stack(tmp_path, of(good("one")))
    with pytest.raises(ServiceFailedError):
        async with stack(tmp_path, of(coded("one", "raise SystemExit(1)"))):
            pytest.fail("it came up")

    async with again:
        assert read_state(tmp_path) is not None
    assert (tmp_path / "logs" / "one.log.1").exists()


async def test_a_stack_that_is_down_has_no_state(tmp_path: Path) -> None:
    down = stack(tmp_path, of(good("one")))

    with pytest.raises(RuntimeError, match="not up"):
        _ = down.state
    with pytest.raises(RuntimeError, match="not up"):
        await down.failed()


async def test_a_child_tells_how_it_ended(tmp_path: Path) -> None:
    child = await Child.start([sys.executable, "-c", "print('said')"], dict(os.environ), tmp_path / "log")

    await child.wait()

    assert child.ended
    assert child.ending() == "exit code 0"
    assert child.last_lines() == f"The end of {tmp_path / 'log'}:\n    said"
