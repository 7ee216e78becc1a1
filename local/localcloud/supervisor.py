"""Starts services together, waits until all serve, and stops all as soon as one ends."""

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from dataplatform.clock import Clock
from dataplatform.errors import UnavailableError
from localcloud.process import Child
from localcloud.readiness import NotReadyError
from localcloud.services import Service

_PROBE_EVERY_SECONDS = 0.05


class ServiceFailedError(UnavailableError):
    """A service ended or did not get ready; the message names it, tells how it ended, and shows its last lines."""


class Supervisor:
    """The children of one stack: `start`, then `watch`, and `stop` at the end whatever happened.

    Not safe for use by several tasks, but `stop` may be called again.
    """

    def __init__(
        self,
        services: Sequence[Service],
        log_dir: Path,
        clock: Clock,
        *,
        ready_timeout_seconds: float,
        stop_timeout_seconds: float,
    ) -> None:
        self._services = services
        self._log_dir = log_dir
        self._clock = clock
        self._ready_timeout_seconds = ready_timeout_seconds
        self._stop_timeout_seconds = stop_timeout_seconds
        self._children: dict[str, Child] = {}

    @property
    def pids(self) -> dict[str, int]:
        """The process id of each started service, by name."""
        return {name: child.pid for name, child in self._children.items()}

    async def start(self) -> None:
        """Start every service and return when all serve; a failure or cancellation stops those that were started.

        Raises:
            ServiceFailedError: One ended, or was not ready in time.
            OSError: A log can't be written.
        """
        try:
            for service in self._services:
                log = self._log_dir / f"{service.name}.log"
                self._children[service.name] = await Child.start(service.command, service.environment, log)
            await _first_failure_of([self._ready(service, self._children[service.name]) for service in self._services])
        except BaseException:
            await self.stop()
            raise

    async def watch(self) -> None:
        """Wait until a service ends by itself, then stop the others.

        Raises:
            ServiceFailedError: Always, at that moment.
        """
        try:
            await _first_failure_of([self._end(service, self._children[service.name]) for service in self._services])
        except ServiceFailedError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop every service that runs; return when none does."""
        stops = [child.stop(self._stop_timeout_seconds) for child in self._children.values()]
        # Finished even where the caller is cancelled: half a stop would leave processes behind.
        stopping = asyncio.ensure_future(asyncio.gather(*stops))
        cancelled = False
        while not stopping.done():
            try:
                await asyncio.shield(stopping)
            except asyncio.CancelledError:
                cancelled = True
        stopping.result()
        if cancelled:
            raise asyncio.CancelledError

    async def _ready(self, service: Service, child: Child) -> None:
        deadline = self._clock.monotonic() + self._ready_timeout_seconds
        ended = asyncio.ensure_future(child.wait())
        try:
            while True:
                probe = asyncio.ensure_future(_answer(service))
                await asyncio.wait({probe, ended}, return_when=asyncio.FIRST_COMPLETED)
                if child.ended:
                    probe.cancel()
                    await asyncio.wait({probe})
                    raise _failure(service, child, f"ended with {child.ending()} before it was ready")
                answer = probe.result()
                if answer is None:
                    return
                if self._clock.monotonic() > deadline:
                    limit = f"{self._ready_timeout_seconds:g} s"
                    raise _failure(service, child, f"was not ready within {limit} ({answer})")
                await self._clock.sleep(_PROBE_EVERY_SECONDS)
        finally:
            ended.cancel()

    @staticmethod
    async def _end(service: Service, child: Child) -> None:
        await child.wait()
        raise _failure(service, child, f"ended with {child.ending()}; the rest of the stack was stopped")


async def _answer(service: Service) -> str | None:
    """Return None when the service serves, else how it answered."""
    try:
        await service.probe()
    except NotReadyError as error:
        return str(error)
    return None


async def _first_failure_of(steps: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run the steps together; the first that fails ends the others, and its error is raised as it is."""
    tasks = [asyncio.ensure_future(step) for step in steps]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for failure in [task.exception() for task in tasks if not task.cancelled()]:
        if failure is not None:
            raise failure


def _failure(service: Service, child: Child, what: str) -> ServiceFailedError:
    return ServiceFailedError(f"The {service.title} ({service.name}) {what}.\n{child.last_lines()}")
