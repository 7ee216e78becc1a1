"""One child of the supervisor: a process in its own session, with a log file, that never outlives its parent."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from localcloud import die_with_parent
from localcloud.state import group_alive

_TAIL_BYTES = 16 * 1024
_TAIL_LINES = 15
_GROUP_GONE_SECONDS = 2.0
_POLL_SECONDS = 0.01


class Child:
    """A started process. `start` makes one."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    @classmethod
    async def start(cls, command: Sequence[str], environment: Mapping[str, str], log: Path) -> "Child":
        """Start `command`; what it writes goes to `log`, the log of the run before is kept as `log`.1.

        Raises:
            OSError: The log can't be written.
        """
        with _fresh(log) as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-I", "-S", die_with_parent.__file__, str(os.getpid())),
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                env=dict(environment),
                # Its own session: a Ctrl-C in the terminal reaches the supervisor alone, which stops all in order.
                start_new_session=True,
            )
        return cls(process, log)

    @property
    def pid(self) -> int:
        """The process id, which is its process group too."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.returncode is not None

    async def wait(self) -> None:
        """Return when the process has ended."""
        await self._process.wait()

    async def stop(self, timeout_seconds: float) -> None:
        """End the process with SIGTERM, and its whole group with SIGKILL after the timeout; return when it is gone."""
        if not self.ended:
            self._signal(signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.wait(), timeout_seconds)
        self._signal(signal.SIGKILL)
        await self.wait()
        await self._group_gone()

    async def _group_gone(self) -> None:
        """Return when the last process of the group is gone: SIGKILL is sent at once, but takes effect a little later.

        The wait is bounded: a process that hangs in the kernel can't be waited for.
        """
        for _ in range(round(_GROUP_GONE_SECONDS / _POLL_SECONDS)):
            if not group_alive(self.pid):
                return
            await asyncio.sleep(_POLL_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        # The group is gone with its last process.
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def ending(self) -> str:
        """Say how the process ended, such as `exit code 1` or `SIGKILL`."""
        code = self._process.returncode
        if code is None:
            return "no exit code yet"
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name

    def last_lines(self) -> str:
        """Return the end of the log, each line indented, with the log's name before it."""
        with self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size - _TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
        if not lines:
            return f"It wrote nothing to {self._log}."
        return "\n".join([f"The end of {self._log}:", *(f"    {line}" for line in lines)])


def _fresh(log: Path) -> BinaryIO:
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))
    return log.open("wb")
