"""The poller as a real process, watched from an async test."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

WAIT_SECONDS = 60.0

#: Runs the program with a base after every so many segments, which is no setting.
_SHORT_JOURNAL = """
import sys
from carts_poller import store
store._MAX_SEGMENTS = {segments}
from carts_poller.main import main
sys.exit(main())
"""


class PollerProcess:
    """One process. An async context manager: it is gone when the block ends. `logs` are its lines so far.

    It calls itself `name` when it asks the shop. `segments` makes its journal shorter than usual.
    """

    def __init__(self, environment: Mapping[str, str], name: str, *arguments: str, segments: int | None = None) -> None:
        self.name = name
        self.logs: list[dict[str, Any]] = []
        self.errors = ""
        program = ["-m", "carts_poller"] if segments is None else ["-c", _SHORT_JOURNAL.format(segments=segments)]
        self._command = [sys.executable, *program, *arguments]
        self._environment = {**environment, "EYDP_SOURCE_USER_AGENT": name}
        self._process: asyncio.subprocess.Process | None = None
        self._reading: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            env=self._environment,
            cwd=str(Path(__file__).parent),  # where no .env file is
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self._reading = [asyncio.create_task(self._read_logs()), asyncio.create_task(self._read_errors())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()
        if error is not None:
            for line in self.logs[-20:]:
                print(self.name, json.dumps(line))  # noqa: T201 - pytest shows it when the test fails
            print(self.errors)  # noqa: T201 - likewise

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The process, once the block has begun."""
        assert self._process is not None
        return self._process

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self.process.returncode is None, self.errors
        os.kill(self.process.pid, number)

    async def kill(self) -> None:
        """End it at once, if it still runs, and read what it left to be read."""
        if self.process.returncode is None:
            self.process.kill()
        await self.ended()

    async def stop(self) -> None:
        """Ask it to end, as Kubernetes does. It must end with 0."""
        self.signal(signal.SIGTERM)
        assert await self.ended() == 0, self.errors

    async def ended(self) -> int:
        """Return its exit code when it has ended and everything is read."""
        async with asyncio.timeout(WAIT_SECONDS):
            code = await self.process.wait()
            await asyncio.wait(self._reading)
        return code

    def polled(self) -> list[dict[str, Any]]:
        """Return the lines that say that a poll ended well."""
        return [line for line in self.logs if line["message"] == "polled"]

    async def logged(self, message: str, *, after: int = 0) -> dict[str, Any]:
        """Return the first line with a message, beginning with the line `after`, as soon as it is there."""
        found = await self.until(lambda: next((one for one in self.logs[after:] if one["message"] == message), None))
        assert found is not None
        return found

    async def until[T](self, condition: Callable[[], T]) -> T:
        """Return the first true value of a condition on the logs."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not (found := condition()):
                assert not all(task.done() for task in self._reading), f"it ended: {self.errors}"
                self._news.clear()
                await self._news.wait()
        return found

    async def _read_logs(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            try:
                self.logs.append(json.loads(line))
            except ValueError:
                self.errors += line.decode(errors="replace")  # cut off by a kill
            self._news.set()
        self._news.set()

    async def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.errors += (await self.process.stderr.read()).decode()
        self._news.set()
