"""Consumers as real processes, watched from an async test."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import aiohttp
import psutil


class Consumer:
    """One process. An async context manager: it has started when the block begins and is gone when it ends.

    `lines` is what it printed so far; `peak_rss_bytes` is the most memory it was seen to use. With `full_disk` it can
    write no byte to any file, wherever that is.
    """

    def __init__(self, environment: Mapping[str, str], name: str = "c1", *, full_disk: bool = False) -> None:
        self._environment = {**environment, "EYDP_CONSUMER_NAME": name}
        self._command = [sys.executable, "-m", "carts_consumer"]
        if full_disk:
            self._command = ["/bin/sh", "-c", 'ulimit -f 0; exec "$0" "$@"', *self._command]
        self._process: asyncio.subprocess.Process | None = None
        self._watching: list[asyncio.Task[None]] = []
        self._started = asyncio.Event()
        self._address = ""
        self.lines: list[str] = []
        self.peak_rss_bytes = 0

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._watching = [asyncio.create_task(self._read()), asyncio.create_task(self._weigh())]
        async with asyncio.timeout(60):
            await self._started.wait()
        assert self._address, "the consumer did not start:\n" + "".join(self.lines)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()
        reading, weighing = self._watching
        weighing.cancel()
        await asyncio.wait({reading, weighing})
        if error is not None:
            print("".join(self.lines[-60:]))  # noqa: T201 - pytest shows it when the test fails

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The process, once the block has begun."""
        assert self._process is not None
        return self._process

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self.process.returncode is None, "the consumer ended by itself:\n" + "".join(self.lines[-60:])
        os.kill(self.process.pid, number)

    async def kill(self) -> None:
        """End it at once, with no chance to do anything, if it still runs."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def stop(self, seconds: float = 40) -> float:
        """Ask it to end, as Kubernetes does; return how many seconds that took. It must end with 0."""
        began = asyncio.get_running_loop().time()
        self.signal(signal.SIGTERM)
        async with asyncio.timeout(seconds):
            code = await self.process.wait()
        assert code == 0, f"exit code {code}:\n" + "".join(self.lines[-60:])
        return asyncio.get_running_loop().time() - began

    async def metric(self, sample: str) -> int:
        """Return the value of one of its counters; 0 when it has not counted yet."""
        async with aiohttp.ClientSession() as session, session.get(f"{self._address}/metrics") as answer:
            found = re.search(rf"^{re.escape(sample)} (\S+)$", await answer.text(), re.MULTILINE)
        return int(float(found[1])) if found else 0

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            text = line.decode(errors="replace")
            self.lines.append(text)
            if not self._address and (found := re.search(r'"metrics_port": (\d+)', text)):
                self._address = f"http://127.0.0.1:{found[1]}"
                self._started.set()
        self._started.set()

    async def _weigh(self) -> None:
        watched = psutil.Process(self.process.pid)
        try:
            while True:
                self.peak_rss_bytes = max(self.peak_rss_bytes, watched.memory_info().rss)
                await asyncio.sleep(0.2)
        except psutil.Error:
            return  # it has ended
