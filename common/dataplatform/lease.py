"""One run at a time: a lease in the bucket, taken and kept by generation preconditions, that a dead run loses.

The lease keeps two runs from doing the same work. It is not what keeps a second one harmless: a run that was frozen
past its lease may still go on, so what it does must be safe to do twice.
"""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from google.api_core.exceptions import GoogleAPICallError

from dataplatform.clock import Clock, rfc3339
from dataplatform.errors import BusyError, InvalidDataError, UnavailableError
from dataplatform.logs import logger
from dataplatform.rawzone import RawZone, Versioned
from dataplatform.retry import describe

#: How often a run that waits looks whether the lease is free.
_LOOK_SECONDS = 1.0


class Lease:
    """A state object, held for some seconds and renewed while work goes on."""

    def __init__(
        self, zone: RawZone, name: str, run_id: str, clock: Clock, *, seconds: float, wait_seconds: float = 0
    ) -> None:
        """A run that stops renewing loses the lease after `seconds`. Clocks of two machines must agree better.

        `name` is the object's; `wait_seconds` is how long to wait for another run that holds it.
        """
        self._zone = zone
        self.name = name
        self._run_id = run_id
        self._clock = clock
        self._seconds = seconds
        self._wait_seconds = wait_seconds
        self._generation = 0
        self.previous_run_id: str | None = None
        """Who held the lease last; known once this run holds it."""

    async def hold[T](self, work: Callable[[], Awaitable[T]]) -> T:
        """Return what `work` returns, done while the lease is held.

        Raises:
            BusyError: another run holds the lease, or took it because this one was too slow to renew it.
            UnavailableError: the bucket did not answer for so long that the lease may be another's.
        """
        await self._wait()
        keeping, working = asyncio.ensure_future(self._keep()), asyncio.ensure_future(work())
        tasks = {keeping, working}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if keeping.done():
                await keeping
            return await working
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self._release()

    async def _wait(self) -> None:
        until = self._clock.monotonic() + self._wait_seconds
        while True:
            try:
                return await self._acquire()
            except BusyError:
                if self._clock.monotonic() >= until:
                    raise
                await self._clock.sleep(_LOOK_SECONDS)

    async def _acquire(self) -> None:
        found = await self._zone.read(self.name)
        if found is not None:
            self.previous_run_id = self._refuse_held(found)
        self._generation = found.generation if found else 0
        if not await self._write(self._seconds):
            found = await self._zone.read(self.name)
            if found is not None:
                self._refuse_held(found)
            raise BusyError("another run took the lease at the same moment: try again")

    def _refuse_held(self, found: Versioned) -> str:
        """Return which run held the lease last, unless it holds it still."""
        try:
            state = json.loads(found.data)
            run_id, by, until = str(state["run_id"]), str(state["by"]), datetime.fromisoformat(state["expires_at"])
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidDataError(f"{self._zone.uri(self.name)} is no lease: remove it and try again") from error
        if until > self._clock.now():
            raise BusyError(
                f"run {run_id} on {by} is at it, and nothing was done: try again when it has ended; if it died, its "
                f"lease runs out at {until:%H:%M:%S} UTC"
            )
        return run_id

    async def _keep(self) -> None:
        while True:
            await self._clock.sleep(self._seconds / 3)
            if not await self._write(self._seconds):
                raise BusyError("another run took the lease, as this one did not renew it in time: look, and try again")

    async def _release(self) -> None:
        try:
            await self._write(0)
        except (UnavailableError, GoogleAPICallError) as error:
            logger().warning("lease not released; it runs out by itself", reason=describe(error))

    async def _write(self, seconds: float) -> bool:
        """Write that the lease is held for `seconds`; return False when somebody else wrote before."""
        until = self._clock.now() + timedelta(seconds=seconds)
        text = json.dumps({"run_id": self._run_id, "by": socket.gethostname(), "expires_at": rfc3339(until)}).encode()
        generation = await self._zone.replace(self.name, text, generation=self._generation)
        if generation is None:
            # A write whose answer was lost and that was tried again finds itself.
            found = await self._zone.read(self.name)
            if found is None or found.data != text:
                return False
            generation = found.generation
        self._generation = generation
        return True
