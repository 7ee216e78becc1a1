"""A bounded number of uploads at work while the next part is filled."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self


class Uploads:
    """Runs uploads side by side; use it as a context manager, which leaves none behind."""

    def __init__(self, at_once: int) -> None:
        """When `at_once` are at work the next one waits, so that memory has a bound."""
        self._at_once = at_once
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, upload: Callable[[], Awaitable[None]]) -> None:
        """Start an upload as soon as there is room. Raises what an earlier one raised."""
        while len(self._tasks) >= self._at_once:
            await self._settle()

        async def work() -> None:
            await upload()

        self._tasks.add(asyncio.create_task(work()))

    async def finish(self) -> None:
        """Return when all uploads are done. Raises what one of them raised."""
        while self._tasks:
            await self._settle()

    async def _settle(self) -> None:
        done, self._tasks = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
