"""The state file and the lock: what a reader may believe."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from localcloud.services import import_path
from localcloud.state import (
    LOCK_FILE,
    STATE_FILE,
    ProcessId,
    StackAlreadyUpError,
    StackState,
    last_state,
    lock_holder,
    locked,
    read_state,
    remove_state,
    write_state,
)


@pytest.fixture
def state() -> StackState:
    return StackState(
        supervisor=ProcessId.current(),
        services={"gcs": ProcessId(1, "then")},
        started_at=datetime(2026, 11, 24, 6, 6, tzinfo=UTC),
        project="local-project",
        ports={"source": 1},
        endpoints={"source": "http://127.0.0.1:1"},
        environment={"EYDP_PROJECT": "local-project"},
        tools={"BIGQUERYRC": "file"},
    )


def test_a_written_state_is_read_back(tmp_path: Path, state: StackState) -> None:
    write_state(tmp_path, state)

    assert read_state(tmp_path) == state
    assert [path.name for path in tmp_path.iterdir()] == [STATE_FILE]


def test_without_a_file_no_stack_is_up(tmp_path: Path) -> None:
    assert read_state(tmp_path) is None
    assert read_state(tmp_path / "missing") is None


def test_the_state_of_a_dead_supervisor_is_stale(tmp_path: Path, state: StackState) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    pid = ProcessId(ended.pid, "some time")
    ended.wait()
    write_state(tmp_path, replace(state, supervisor=pid))

    assert read_state(tmp_path) is None
    assert last_state(tmp_path) is not None


def test_a_later_process_of_the_same_number_is_not_the_supervisor(tmp_path: Path, state: StackState) -> None:
    write_state(tmp_path, replace(state, supervisor=ProcessId(os.getpid(), "at another time")))

    assert read_state(tmp_path) is None


def test_a_process_that_ended_and_was_not_waited_for_counts_as_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    assert ProcessId.of(process.pid) is None
    process.wait()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"supervisor": 1}', '"text"'])
def test_a_file_that_is_no_state_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / STATE_FILE).write_text(text, encoding="utf-8")

    assert read_state(tmp_path) is None


def test_a_state_can_be_removed_twice(tmp_path: Path, state: StackState) -> None:
    write_state(tmp_path, state)

    remove_state(tmp_path)
    remove_state(tmp_path)

    assert read_state(tmp_path) is None


def test_the_lock_tells_its_holder_while_it_is_held(tmp_path: Path) -> None:
    assert lock_holder(tmp_path) is None

    with locked(tmp_path / "new"):
        assert lock_holder(tmp_path / "new") == ProcessId.current()

    assert lock_holder(tmp_path / "new") is None


def test_a_second_lock_is_refused_and_names_the_first(tmp_path: Path) -> None:
    with (
        locked(tmp_path),
        pytest.raises(StackAlreadyUpError, match=rf"already up or starting \(process {os.getpid()}\)"),
        locked(tmp_path),
    ):
        pytest.fail("two held the lock")


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, localcloud.state as s\n"
        "with s.locked(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": import_path()},
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        named = lock_holder(tmp_path)
        assert named is not None
        assert named.pid == holder.pid
        holder.kill()

    assert json.loads((tmp_path / LOCK_FILE).read_text(encoding="utf-8"))["pid"] == holder.pid
    assert lock_holder(tmp_path) is None
    with locked(tmp_path):
        pass
