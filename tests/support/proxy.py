"""Faults for the tests' proxies: what happens to a call on its way, and how a test learns that it happened.

A call meets the faults of its proxy at up to three moments: `request`, before anything is passed on; `half`, when half
of a request's body was passed on (HTTP only); `answer`, when the real server did it and its answer is still here. In a
gRPC stream each message is a call of its own.
"""

import asyncio
from typing import Literal

type Moment = Literal["request", "half", "answer"]


class RefusedError(Exception):
    """The call is answered with an error: 503, or UNAVAILABLE."""


class DroppedError(Exception):
    """The call's connection ends without an answer."""


class Fault:
    """Stands at one moment of the calls whose name holds `call`, from the `nth` on. Does nothing but count them."""

    def __init__(self, call: str, moment: Moment, nth: int = 1) -> None:
        self.call = call
        self.moment = moment
        self.met = 0
        self._passing = nth - 1
        self._reached = asyncio.Event()

    async def meet(self) -> None:
        """Let the first calls pass, then do it to each.

        Raises:
            RefusedError, DroppedError: the call ends so.
        """
        if self._passing:
            self._passing -= 1
            return
        self.met += 1
        self._reached.set()
        await self.act()

    async def act(self) -> None:
        """Do what this fault does to one call."""

    async def reached(self, seconds: float = 60) -> None:
        """Return as soon as a call met it; fail with TimeoutError after `seconds`."""
        async with asyncio.timeout(seconds):
            await self._reached.wait()


class Hold(Fault):
    """Keeps each call until it is released or dropped."""

    def __init__(self, call: str, moment: Moment, nth: int = 1) -> None:
        super().__init__(call, moment, nth)
        self._over = asyncio.Event()
        self._dropped = False

    async def act(self) -> None:
        await self._over.wait()
        if self._dropped:
            raise DroppedError

    def release(self) -> None:
        """Let all go on, those held and those to come."""
        self._over.set()

    def drop(self) -> None:
        """End the calls that are held; later ones are dropped too, until the fault is taken away."""
        self._dropped = True
        self._over.set()


class Refuse(Fault):
    """Answers each call with an error."""

    async def act(self) -> None:
        raise RefusedError


class Drop(Fault):
    """Ends each call without an answer."""

    async def act(self) -> None:
        raise DroppedError


class Delay(Fault):
    """Makes each call wait."""

    def __init__(self, call: str, moment: Moment, seconds: float) -> None:
        super().__init__(call, moment)
        self._seconds = seconds

    async def act(self) -> None:
        await asyncio.sleep(self._seconds)


class Faults:
    """The faults of one proxy. None at first."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add[F: Fault](self, fault: F) -> F:
        """Put a fault into effect and return it."""
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """End all faults: calls that come are passed on. What is held stays held until released or dropped."""
        self._faults.clear()

    async def meet(self, call: str, moment: Moment) -> None:
        """Let a call meet every fault that stands in its way."""
        for fault in tuple(self._faults):
            if fault.moment == moment and fault.call in call:
                await fault.meet()
