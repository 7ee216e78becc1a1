"""A shop, a bucket and a topic in memory for the real poller, with a place to fail at before and after every call."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from google.api_core.exceptions import ServiceUnavailable
from prometheus_client import CollectorRegistry

from carts_poller.changes import Invalid
from carts_poller.event import Event
from carts_poller.history import CONDITIONS, History, Progress
from carts_poller.loop import Loop
from carts_poller.poll import Parts, Poller
from carts_poller.publish import Outcome
from carts_poller.store import StateStore
from carts_poller.suspicion import Marked, Suspicion
from dataplatform.errors import InvalidDataError
from dataplatform.health import Health
from dataplatform.metrics import PollerMetrics
from dataplatform.rawzone import RawZone, Versioned
from dataplatform.runtime import Stop
from dataplatform.source import RawRecord, Take, Validators

from .carts import NOW

LEASE_SECONDS = 30.0


class CrashError(BaseException):
    """The process ends here."""


class Places:
    """Counts the calls that the poller makes, and fails at one of them: before it takes effect, or after."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.failures: dict[str, BaseException] = {}
        self.crash_at: int | None = None

    def meet(self, place: str) -> None:
        self.passed.append(place)
        if self.crash_at == len(self.passed):
            raise CrashError(place)
        if place in self.failures:
            raise self.failures.pop(place)


@dataclass
class Bucket:
    """Objects with generations and preconditions, as Cloud Storage keeps them."""

    places: Places
    objects: dict[str, Versioned] = field(default_factory=dict)

    def uri(self, name: str) -> str:
        return f"gs://bucket/{name}"

    async def read(self, name: str) -> Versioned | None:
        self.places.meet(f"before read {_kind(name)}")
        return self.objects.get(name)

    async def names(self, prefix: str) -> list[str]:
        return sorted(name for name in self.objects if name.startswith(prefix))

    async def create(self, name: str, data: bytes, **_: Any) -> bool:
        self.places.meet(f"before write {_kind(name)}")
        if name in self.objects:
            if self.objects[name].data != data:
                raise InvalidDataError(f"{name} exists with other content")
            return False
        self.objects[name] = Versioned(data, 1)
        self.places.meet(f"after write {_kind(name)}")
        return True

    async def replace(self, name: str, data: bytes, *, generation: int) -> int | None:
        self.places.meet(f"before write {_kind(name)}")
        found = self.objects.get(name)
        if (found.generation if found else 0) != generation:
            return None
        self.objects[name] = Versioned(data, generation + 1)
        self.places.meet(f"after write {_kind(name)}")
        return generation + 1

    async def remove_state(self, name: str) -> None:
        self.places.meet(f"before remove {_kind(name)}")
        self.objects.pop(name, None)


def _kind(name: str) -> str:
    for kind in ("head", "log", "base", "accept-missing"):
        if f"/{kind}" in name:
            return kind
    raise AssertionError(name)


@dataclass
class World:
    """Everything that outlives a process."""

    carts: list[Any] = field(default_factory=list)
    published: list[Event] = field(default_factory=list)
    invalid: list[Invalid] = field(default_factory=list)
    publish_at_most: int = 1_000_000
    etag: str | None = None
    requests: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    places: Places = field(default_factory=Places)

    def __post_init__(self) -> None:
        self.bucket = Bucket(self.places)

    # A clock that only moves when somebody sleeps, and a microsecond with each look.

    def now(self) -> datetime:
        self.seconds += 1e-6
        return NOW + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await asyncio.sleep(0.001)  # others have their turn: whoever renews a lease sleeps again and again

    async def stream_changed[T](self, path: str, take: Take[T], known: Validators) -> tuple[T, Validators] | None:
        assert path == "/carts"
        self.places.meet("fetch")
        if self.etag and known.etag == self.etag:
            self.requests["unchanged"] += 1
            return None
        self.requests["whole"] += 1

        async def chunks() -> AsyncIterator[list[RawRecord]]:
            for one in self.carts:
                yield [RawRecord(one, json.dumps(one))]

        return await take(chunks()), Validators(self.etag)

    async def publish(self, events: tuple[Event, ...]) -> Outcome:
        self.places.meet("before publish")
        self.published += events[: self.publish_at_most]
        self.places.meet("after publish")
        left = events[self.publish_at_most :]
        return Outcome(left, ServiceUnavailable("away") if left else None)

    async def put(self, invalid: Sequence[Invalid]) -> bool:
        self.places.meet("quarantine")
        self.invalid += invalid
        return True

    @property
    def told(self) -> list[Event]:
        """What was published, each event once, however often that was."""
        return list({event.event_id: event for event in self.published}.values())

    def process(self, holder: str = "one", *, max_missing_ratio: float = 0.5, **loop: Any) -> Loop:
        """A new process; `holder` is its name. It has its own memory and shares all else with the others."""
        health = Health(self, stalled_after_seconds=1, conditions=CONDITIONS)
        metrics = PollerMetrics(CollectorRegistry())
        zone = cast("RawZone", self.bucket)
        store = StateStore(zone, "fakestore", self, holder=holder, lease_seconds=LEASE_SECONDS)
        history = History(store, self, self, metrics)
        parts = Parts(
            self, history, Suspicion(max_missing_ratio=max_missing_ratio, accept_after=3), Marked(zone, "fakestore")
        )
        poller = Poller(parts, "/carts", self, metrics, Progress(health))
        return Loop(
            history,
            poller,
            Stop(),
            self,
            metrics,
            health,
            interval_seconds=60,
            drain_seconds=1,
            lease_seconds=LEASE_SECONDS,
            **loop,
        )

    async def poller(self, holder: str = "one") -> Poller:
        """The poller of a new process that holds the lease; an older process of that name died."""
        process = self.process(holder)
        assert await process.history.open() is None
        return process.poller
