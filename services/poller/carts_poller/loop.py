"""The working loop: poll after poll without overlap, until somebody asks to stop."""

import asyncio
from dataclasses import dataclass

from carts_poller.poll import CONDITIONS, Poller
from carts_poller.schedule import FixedRate
from carts_poller.store import CorruptStateError
from dataplatform.clock import Clock
from dataplatform.errors import BusyError, PlatformError
from dataplatform.health import Health
from dataplatform.logs import logger
from dataplatform.metrics import PollerMetrics
from dataplatform.retry import Verdict, classify, describe
from dataplatform.runtime import Stop


@dataclass(frozen=True, slots=True)
class Loop:
    """Runs one poller until `stop`; then it finishes publishing what is saved, for `drain_seconds` at most."""

    poller: Poller
    stop: Stop
    clock: Clock
    metrics: PollerMetrics
    health: Health
    interval_seconds: float
    drain_seconds: float

    async def run(self) -> None:
        """Poll at a fixed rate. A poll that fails is logged and counted, and the next tick tries again.

        Raises:
            CorruptStateError: the state must be mended first.
            Exception: a bug.
        """
        ticks = FixedRate(self.clock.monotonic(), self.interval_seconds)
        while not self.stop.requested:
            await self.once()
            tick = ticks.after(self.clock.monotonic())
            if tick.missed:
                self.metrics.polls.labels("skipped").inc(tick.missed)
                logger().warning("polls skipped, as one took longer than the interval", polls=tick.missed)
            self.health.progress()
            await self.stop.wait_for(max(0.0, tick.at - self.clock.monotonic()))

    async def once(self) -> Exception | None:
        """Poll once; return the error of a poll that may succeed next time.

        Raises:
            CorruptStateError: the state must be mended first.
            Exception: a bug.
        """
        polling = asyncio.create_task(self._attempt())
        stopping = asyncio.create_task(self.stop.wait())
        try:
            await asyncio.wait({polling, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not polling.done() and self.poller.step != "source":
                await asyncio.wait({polling}, timeout=self.drain_seconds)
        finally:
            stopping.cancel()
            polling.cancel()
        try:
            return await polling
        except asyncio.CancelledError:
            if not self.stop.requested:
                raise
            logger().info("poll given up to stop", step=self.poller.step)
            return None

    async def _attempt(self) -> Exception | None:
        try:
            published = await self.poller.poll()
        except Exception as error:
            self.metrics.polls.labels("failed").inc()
            if isinstance(error, CorruptStateError):
                raise
            if not isinstance(error, PlatformError) and classify(error) is Verdict.PERMANENT:
                raise
            if isinstance(error, BusyError):
                self.poller.forget()
            self.health.down(self.poller.step, describe(error))
            logger().error("poll failed", step=self.poller.step, reason=describe(error))
            return error
        self.metrics.polls.labels("ok").inc()
        self.metrics.last_success.set(self.clock.now().timestamp())
        for condition in CONDITIONS:
            self.health.up(condition)
        logger().info("polled", events=published)
        return None
