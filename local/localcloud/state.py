"""What a running stack tells others: the state file, and the lock that only one stack of a folder holds.

The lock says whether a stack runs: the kernel frees it when its holder dies, however it dies. The state file says
where the stack is; it is written once all serve and may be left behind by a supervisor that was killed.
"""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TextIO

from dataplatform.errors import BusyError

STATE_FILE = "stack.json"
LOCK_FILE = "stack.lock"

_TAKE_ATTEMPTS = 50
_TAKE_PAUSE_SECONDS = 0.02


class StackAlreadyUpError(BusyError):
    """Another supervisor holds this data folder."""


#: States of a process that has ended.
_DEAD = frozenset({"Z", "X"})


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process that can't be mistaken for a later one of the same number."""

    pid: int
    started: str
    """When it started, in a form that is only good for comparing; changes with each boot."""

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        """Return the identity of a running process, None when there is none (or only its unread exit code)."""
        started = _started(pid)
        return None if started is None else cls(pid, started)

    @classmethod
    def current(cls) -> "ProcessId":
        """Return the identity of this process."""
        return cls(os.getpid(), _started(os.getpid()) or "unknown")

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return _started(self.pid) == self.started


@dataclass(frozen=True, slots=True)
class StackState:
    """A stack that is up."""

    supervisor: ProcessId
    services: dict[str, ProcessId]
    """The process of each service, by its name."""
    started_at: datetime
    project: str
    ports: dict[str, int]
    endpoints: dict[str, str]
    """Address of each server, for people and for tools."""
    environment: dict[str, str]
    """The variables that make the platform's programs and Google's clients use this stack."""
    tools: dict[str, str] = field(default_factory=dict)
    """Further variables that make `bq` and `gcloud` use it."""

    def to_json(self) -> str:
        """Return the state as the text of its file."""
        return json.dumps(asdict(self) | {"started_at": self.started_at.isoformat()}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "StackState":
        """Read what `to_json` wrote; raises ValueError, KeyError or TypeError for anything else."""
        fields = json.loads(text)
        return cls(
            **fields
            | {
                "supervisor": ProcessId(**fields["supervisor"]),
                "services": {name: ProcessId(**process) for name, process in fields["services"].items()},
                "started_at": datetime.fromisoformat(fields["started_at"]),
            }
        )


def read_state(data_dir: Path) -> StackState | None:
    """Return the state of the stack in `data_dir`, None when it is not up (or not yet)."""
    state = last_state(data_dir)
    return state if state is not None and state.supervisor.alive else None


def last_state(data_dir: Path) -> StackState | None:
    """Return what the state file says, true or left behind; None when there is none that can be read."""
    try:
        return StackState.from_json((data_dir / STATE_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        # A file of another version is as good as none: the lock, not the file, keeps stacks apart.
        return None


def write_state(data_dir: Path, state: StackState) -> None:
    """Write the state file in one step: a reader sees all of it or none."""
    fresh = data_dir / f"{STATE_FILE}.{os.getpid()}"
    fresh.write_text(state.to_json(), encoding="utf-8")
    fresh.replace(data_dir / STATE_FILE)


def remove_state(data_dir: Path) -> None:
    """Remove the state file where there is one."""
    (data_dir / STATE_FILE).unlink(missing_ok=True)


@contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold the folder's lock while the block runs.

    Raises:
        StackAlreadyUpError: Another process holds it.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / LOCK_FILE).open("a+", encoding="utf-8") as lock:
        _take(lock, data_dir)
        lock.truncate(0)
        lock.write(json.dumps(asdict(ProcessId.current())))
        lock.flush()
        yield


def lock_holder(data_dir: Path) -> ProcessId | None:
    """Return the supervisor that holds the folder's lock, ready or not; None when no stack runs there."""
    with suppress(FileNotFoundError), (data_dir / LOCK_FILE).open(encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _named_holder(data_dir)
    return None


def _take(lock: TextIO, data_dir: Path) -> None:
    for _ in range(_TAKE_ATTEMPTS):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _named_holder(data_dir)
            if holder is not None:
                raise StackAlreadyUpError(
                    f"The stack in {data_dir} is already up or starting (process {holder.pid}); "
                    "stop it with `down` first."
                ) from error
            # Someone only looks whether the lock is free, or has just taken it and not written its name yet.
            time.sleep(_TAKE_PAUSE_SECONDS)
        else:
            return
    raise StackAlreadyUpError(f"The lock {data_dir / LOCK_FILE} is held by a process that does not tell its name.")


def _named_holder(data_dir: Path) -> ProcessId | None:
    """Return the living process whose name is in the lock file."""
    try:
        holder = ProcessId(**json.loads((data_dir / LOCK_FILE).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return holder if holder.alive else None


def _started(pid: int) -> str | None:
    if sys.platform != "linux":
        command = ["/bin/ps", "-o", "lstart=", "-p", str(pid)]
        listed = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a number
        return listed.stdout.strip() or None
    fields = _stat(pid)
    if fields is None or fields[0] in _DEAD:
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot}/{fields[19]}"


def group_alive(group: int) -> bool:
    """Return whether a process of the group still runs. One that ended and that nobody reaped yet does not."""
    if sys.platform != "linux":
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        return True
    found = (_stat(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return any(fields is not None and int(fields[2]) == group and fields[0] not in _DEAD for fields in found)


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the third on: state, parent, group, …; None without such a process."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field, the program's name in parentheses, may hold spaces.
    return status.rpartition(")")[2].split()
