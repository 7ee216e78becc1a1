"""The working loop: poll after poll without overlap while this process holds the lease, until somebody asks to stop."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from carts_poller.history import CONDITIONS, History
from carts_poller.poll import Poller
from carts_poller.schedule import FixedRate
from carts_poller.store import CorruptStateError, Held
from dataplatform.clock import Clock
from dataplatform.errors import BusyError, PlatformError
from dataplatform.health import Health
from dataplatform.logs import logger
from dataplatform.metrics import PollerMetrics
from dataplatform.retry import Verdict, classify, describe
from dataplatform.runtime import Stop

#: How often a poller that stands by looks again, at least: the holder may have given the lease up.
_LOOK_SECONDS = 5.0


def is_expected(error: Exception) -> bool:
    """Return whether the next try may succeed: nothing is wrong with the program or its state."""
    if isinstance(error, CorruptStateError):
        return False
    return isinstance(error, PlatformError) or classify(error) is not Verdict.PERMANENT


@dataclass(frozen=True, slots=True)
class Loop:
    """Runs one poller until `stop`; then it finishes publishing what is saved, for `drain_seconds` at most.

    Each poll begins up to `jitter_seconds` after its tick, so that many pollers do not ask one shop at one moment.
    """

    history: History
    poller: Poller
    stop: Stop
    clock: Clock
    metrics: PollerMetrics
    health: Health
    interval_seconds: float
    drain_seconds: float
    lease_seconds: float
    jitter_seconds: float = 0.0

    async def run(self, last: asyncio.Task[None] | None = None) -> None:
        """Poll at a fixed rate. A poll that fails is logged and counted, and the next tick tries again.

        `last` is work on the same history that ends with `stop`, too; the lease is kept until then, or for
        `drain_seconds`.

        Raises:
            CorruptStateError: the state must be mended first.
            Exception: a bug.
        """
        self.metrics.interval.set(self.interval_seconds)
        ticks = FixedRate(self.clock.monotonic(), self.interval_seconds, self.jitter_seconds)
        keeping = asyncio.create_task(self.keep())
        try:
            while not self.stop.requested:
                if keeping.done():
                    await keeping  # it only ends with a bug
                if held := await self.turn():
                    await self.stop.wait_for(min(_LOOK_SECONDS, held.seconds + 0.1))
                    continue
                tick = ticks.after(self.clock.monotonic())
                if tick.missed:
                    self.metrics.polls.labels("skipped").inc(tick.missed)
                    logger().warning("polls skipped, as one took longer than the interval", polls=tick.missed)
                self.health.progress()
                await self.stop.wait_for(max(0.0, tick.at - self.clock.monotonic()))
            if last is not None:
                await asyncio.wait({last}, timeout=self.drain_seconds)
                last.cancel()
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
            await self.close()

    async def single(self) -> Exception | None:
        """Poll once, after another poller's lease has run out; return the error of a poll that may succeed next time.

        Raises:
            BusyError: another poller keeps its lease.
            CorruptStateError: the state must be mended first.
            Exception: a bug.
        """
        if held := await self.history.open():
            logger().info("another poller holds the lease, waiting for its end", holder=held.by, seconds=held.seconds)
            await self.clock.sleep(held.seconds + 0.1)
            if held := await self.history.open():
                raise BusyError(
                    f"the poller {held.by} is at work on this source: stop it first, or let it do the polls"
                )
        keeping = asyncio.create_task(self.keep())
        try:
            return await self.once()
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
            await self.close()

    async def turn(self) -> Held | None:
        """Poll once if this process holds the lease or can take it; return for whom it stands by when it can't.

        Raises:
            CorruptStateError: the state must be mended first.
            Exception: a bug.
        """
        held = await self._lead()
        if held is None:
            await self.once()
        return held

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
            if not polling.done() and self.poller.at.step != "source":
                await asyncio.wait({polling}, timeout=self.drain_seconds)
        finally:
            stopping.cancel()
            polling.cancel()
        try:
            return await polling
        except asyncio.CancelledError:
            if not self.stop.requested:
                raise
            logger().info("poll given up to stop", step=self.poller.at.step)
            return None

    async def keep(self) -> None:
        """Renew the lease again and again. Another poller may only take over when this one has lost it."""
        while True:
            await self.clock.sleep(self.lease_seconds / 3)
            try:
                await self.history.renew()
            except BusyError as error:
                logger().warning("lease lost", reason=describe(error))
                self.history.forget()
            except Exception as error:
                if not is_expected(error):
                    raise
                logger().warning("lease not renewed", reason=describe(error))

    async def close(self) -> None:
        """Let another poller take over at once. A lease that can't be given up runs out by itself."""
        try:
            await self.history.release()
        except Exception as error:
            if not is_expected(error):
                raise
            logger().warning("lease not given up; it runs out by itself", reason=describe(error))

    async def _lead(self) -> Held | None:
        """Open the history; return who has it when it is another poller, for which this one stands by."""
        try:
            held = await self.history.open()
        except Exception as error:
            self.metrics.polls.labels("failed").inc()
            if not is_expected(error):
                raise
            self.health.down("state", describe(error))
            logger().error("poll failed", step="state", reason=describe(error))
            return Held("nobody", min(self.interval_seconds, _LOOK_SECONDS))
        self.health.progress()
        if held:
            if self.health.not_ready:
                logger().info("standing by, as another poller holds the lease", holder=held.by)
            for condition in CONDITIONS:
                self.health.up(condition)
        return held

    async def _attempt(self) -> Exception | None:
        try:
            published = await self.poller.poll()
        except Exception as error:
            self.metrics.polls.labels("failed").inc()
            if not is_expected(error):
                raise
            if isinstance(error, BusyError):
                self.history.forget()
            self.health.down(self.poller.at.step, describe(error))
            logger().error("poll failed", step=self.poller.at.step, reason=describe(error))
            return error
        self.metrics.polls.labels("ok").inc()
        self.metrics.last_success.set(self.clock.now().timestamp())
        for condition in CONDITIONS:
            self.health.up(condition)
        logger().info("polled", events=published)
        return None
