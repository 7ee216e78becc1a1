"""Processes of the poller in memory, stepped by a seeded schedule: every call may wait, fail, land late or never.

A call that a process makes waits until the schedule takes it up. So any interleaving of several processes, and of the
several activities of one, can come about, and the same seed brings about the same one.
"""

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any, Literal, cast

from google.api_core.exceptions import ServiceUnavailable
from prometheus_client import CollectorRegistry

from carts_poller.changes import microseconds
from carts_poller.event import Event
from carts_poller.history import CONDITIONS, Progress
from carts_poller.loop import Loop
from carts_poller.publish import Outcome
from carts_poller.pushed import Pushed, attributes, data
from carts_poller.pushes import Pushes
from dataplatform.errors import BusyError, UnavailableError
from dataplatform.health import Health
from dataplatform.metrics import PollerMetrics
from dataplatform.rawzone import Versioned
from dataplatform.retry import Retrier, RetryPolicy
from dataplatform.runtime import Stop
from dataplatform.source import RawRecord, Take, Validators
from support.poller_truth import GONE, Push, Rule, Shown, meaning, shown
from unit.poller.carts import cart
from unit.poller.world import Bucket, CrashError, World

#: go: done and answered. fail: neither. lost: done, and the answer is lost for good. twice: done, not answered, and
#: done again. late: not answered, and done some time later. land: done, and nobody is there to be answered.
type Verdict = Literal["go", "fail", "lost", "twice", "late", "land"]

_PUSH_LEASE_SECONDS = 10.0
_AWAY = "away"


class Inline(ThreadPoolExecutor):
    """Does at once what it is given, so that a schedule is repeatable."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whoever asked gets it
            future.set_exception(error)
        return future


@dataclass(eq=False)
class Actor:
    """One process, with what it does at the moment."""

    name: str
    loop: Loop
    pushes: Pushes
    alive: bool = True
    frozen: bool = False
    busy: set[str] = field(default_factory=set)
    #: When its present poll began.
    began: int = 0


ACTOR: ContextVar[Actor | None] = ContextVar("ACTOR", default=None)


@dataclass(eq=False)
class Waiting:
    """A call that waits to be taken up."""

    actor: Actor
    future: "asyncio.Future[Verdict]"


class StagedBucket(Bucket):
    """A bucket whose calls wait for the schedule. `saved` is every event that was in a segment that counts."""

    def __init__(self, stage: "Stage") -> None:
        super().__init__(stage.places)
        self._stage = stage
        self.saved: list[bytes] = []
        self.compactions = 0

    async def read(self, name: str) -> Versioned | None:
        await self._stage.call(lambda: None)
        return self.objects.get(name)

    async def names(self, prefix: str) -> list[str]:
        await self._stage.call(lambda: None)
        return await super().names(prefix)

    async def create(self, name: str, data: bytes, **_: Any) -> bool:
        return await self._stage.call(lambda: self._create(name, data))

    async def replace(self, name: str, data: bytes, *, generation: int) -> int | None:
        return await self._stage.call(lambda: self._replace(name, data, generation))

    async def remove_state(self, name: str) -> None:
        await self._stage.call(lambda: self.objects.pop(name, None))

    def _create(self, name: str, data: bytes) -> bool:
        new = name not in self.objects
        done = _now(super().create(name, data))
        if new and "/log/" in name:
            head = json.loads(next(found.data for at, found in self.objects.items() if at.endswith("head.json")))
            if int(name[-15:-3]) > head["base"]:
                self.saved += [line.split(b" ", 2)[2] for line in gzip.decompress(data).split(b"\n")[1:]]
        self.compactions += new and "/base/" in name
        return done

    def _replace(self, name: str, data: bytes, generation: int) -> int | None:
        return _now(super().replace(name, data, generation=generation))


def _now[T](coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine that waits for nothing returns."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return cast("T", done.value)
    raise AssertionError("it waited")


@dataclass
class Queue:
    """Pushed carts on their way, in the order of each cart, each given to one process at a time."""

    messages: list[tuple[int, Pushed]] = field(default_factory=list)
    leased: dict[int, float] = field(default_factory=dict)
    given: int = 0

    def pull(self, now: float) -> list[tuple[int, Pushed]]:
        held = {one.cart_id for number, one in self.messages if self.leased.get(number, 0) > now}
        found = [(number, one) for number, one in self.messages if one.cart_id not in held]
        for number, _ in found:
            self.leased[number] = now + _PUSH_LEASE_SECONDS
        self.given += len(found)
        return found

    def acknowledge(self, numbers: set[int]) -> None:
        self.messages = [one for one in self.messages if one[0] not in numbers]


class Stage(World):
    """The world of a schedule. While `calm` is set, every call goes through at once."""

    def __init__(self, rng: Random) -> None:
        super().__init__()
        self.rng = rng
        self.calm = False
        self.over = False
        self.bucket: StagedBucket = StagedBucket(self)
        self.waiting: list[Waiting] = []
        self.ghosts: list[Callable[[], Any]] = []
        self.shop: dict[int, Any] = {}
        self.extra: list[Any] = []
        self.etags = False
        self.answers: list[Shown] = []
        self.pushed: list[Push] = []
        self.queue = Queue()
        self.messages: list[bytes] = []
        self.kills = 0
        self.counts: Counter[str] = Counter()
        self.rule = Rule()

    def microseconds(self) -> int:
        return microseconds(self.now())

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await asyncio.sleep(0)

    async def call[T](self, effect: Callable[[], T]) -> T:
        """Make a call: wait for the schedule, then do it or not, and be answered or not."""
        verdict = await self._verdict()
        self.counts[verdict] += 1
        if verdict == "fail":
            raise UnavailableError(_AWAY)
        if verdict == "late":
            self.ghosts.append(effect)
            raise UnavailableError(_AWAY)
        done = effect()
        if verdict == "land":
            raise CrashError
        if verdict == "lost":
            raise UnavailableError(_AWAY)
        return effect() if verdict == "twice" else done

    async def _verdict(self) -> Verdict:
        if self.over:
            raise CrashError
        actor = ACTOR.get()
        if self.calm or actor is None:
            return "go"
        waiting = Waiting(actor, asyncio.get_running_loop().create_future())
        self.waiting.append(waiting)
        return await waiting.future

    async def stream_changed[T](self, _: str, take: Take[T], known: Validators) -> tuple[T, Validators] | None:
        actor = ACTOR.get()
        assert actor is not None
        asked_at = self.microseconds()
        await self.call(lambda: None)
        records = [*self.shop.values(), *self.extra]
        tag = f'"{meaning({"all": records})}"' if self.etags else None
        answer = shown(actor.name, actor.began, asked_at, records)
        if tag and known.etag == tag:
            self.answers.append(answer)
            return None

        async def chunks() -> AsyncIterator[list[RawRecord]]:
            for record in records:
                yield [RawRecord(record, json.dumps(record))]
                await self.call(lambda: None)

        taken = await take(chunks())
        self.answers.append(answer)
        return taken, Validators(tag)

    async def publish(self, events: tuple[Event, ...]) -> Outcome:
        verdict = await self._verdict()
        count = len(events) if verdict in {"go", "twice", "lost"} else self.rng.randrange(len(events) + 1)
        self.messages += [event.data for event in events[:count]]
        if verdict in {"go", "twice"}:
            return Outcome((), None)
        if verdict == "land":
            raise CrashError
        left = tuple(event for number, event in enumerate(events) if number >= count or self.rng.random() < 0.5)
        return Outcome(left, ServiceUnavailable(_AWAY) if left else None)

    def push(self, one: int, what: Any, request: str | None = None) -> None:
        """A client pushes a cart, or that it is gone, and is told that it was taken."""
        at = self.microseconds()
        text = None if what is None else json.dumps(what)
        self.queue.messages.append((len(self.pushed), Pushed("fakestore", one, text, at, request)))
        self.pushed.append(Push(one, meaning(what) if what is not None else GONE, at, request))

    # What Pushes asks of its subscriber.

    async def pull(self, **_: Any) -> Any:
        def answer() -> list[Any]:
            found = self.queue.pull(self.seconds)
            return [
                SimpleNamespace(ack_id=str(number), message=SimpleNamespace(data=data(one), attributes=attributes(one)))
                for number, one in found
            ]

        return Pulled(await self.call(answer))

    async def acknowledge(self, request: dict[str, Any], **_: Any) -> None:
        await self.call(lambda: self.queue.acknowledge({int(one) for one in request["ack_ids"]}))

    def actor(self, name: str) -> Actor:
        """A new process."""
        loop = self.process(name, max_missing_ratio=self.rule.max_missing_ratio)
        metrics = PollerMetrics(CollectorRegistry())
        at = Progress(Health(self, stalled_after_seconds=1, conditions=CONDITIONS))
        retrier = Retrier(RetryPolicy(0), self)
        pushes = Pushes(self, "pushes", "fakestore", loop.history, retrier, metrics, at, timeout_seconds=1)
        return Actor(name, loop, pushes)

    # What a process does, each a task of its own.

    async def turn(self, actor: Actor) -> bool:
        """Poll once, as the loop does; return whether it ended well."""
        actor.began = self.microseconds()
        try:
            if await actor.loop.history.open() is not None or await actor.loop.once() is not None:
                return False
        except UnavailableError:
            return False
        # What a process that lost its lease was shown is for the one that has it to see.
        head = json.loads(self.bucket.objects["_state/poller/fakestore/head.json"].data)
        if head["holder"] == actor.name:
            last = next(one for one in reversed(self.answers) if one.process == actor.name)
            last.done_at = self.microseconds()
        return True

    async def renew(self, actor: Actor) -> None:
        """Keep the lease, as the loop does."""
        try:
            await actor.loop.history.renew()
        except BusyError:
            actor.loop.history.forget()
        except UnavailableError:
            pass

    async def take_pushes(self, actor: Actor) -> None:
        await actor.pushes.run(_Once())

    async def release(self, actor: Actor) -> None:
        await actor.loop.close()
        actor.alive = False


class Pulled:
    """An answer to a pull, as the subscriber's client gives it."""

    def __init__(self, received_messages: list[Any]) -> None:
        self.received_messages = received_messages

    @staticmethod
    def pb(answer: "Pulled") -> "Pulled":
        return answer


class _Once(Stop):
    """Lets a loop go round once."""

    def __init__(self) -> None:
        super().__init__()
        self._rounds = 1

    @property
    def requested(self) -> bool:
        self._rounds -= 1
        return self._rounds < 0

    async def wait_for(self, seconds: float) -> bool:
        del seconds
        return False


def some_cart(rng: Random, number: int) -> Any:
    """Return one of a few carts of an id, so that carts go back to what they were now and then."""
    return cart(number, (1, rng.randrange(3)))
