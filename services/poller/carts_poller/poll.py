"""One poll: fetch, find the changes, save them with their events, publish, confirm.

The order is the promise. What is saved is published, now or after a restart, always with the same ids; what is not
saved was never published.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from carts_poller.changes import Change, changes, missing
from carts_poller.event import Event
from carts_poller.observation import Invalid, Observation, observe
from carts_poller.publish import Outcome
from carts_poller.state import DELETED, State
from carts_poller.store import Stored
from carts_poller.suspicion import Suspicion
from dataplatform.clock import Clock
from dataplatform.health import Health
from dataplatform.logs import logger
from dataplatform.metrics import PollerMetrics
from dataplatform.source import RawRecord

CONDITIONS = ("state", "source", "pubsub")


class Source(Protocol):
    """What a poll asks of the shop."""

    async def get_records(self, path: str) -> list[RawRecord]:
        """Return all records of a route."""
        ...


class Store(Protocol):
    """What a poll asks of the state's keeper. See `StateStore` for the errors."""

    async def load(self) -> Stored:
        """Return the saved state."""
        ...

    async def save(self, state: State, generation: int) -> Stored:
        """Replace it."""
        ...


class Events(Protocol):
    """What a poll asks of the topic."""

    async def publish(self, events: tuple[Event, ...]) -> Outcome:
        """Publish and confirm."""
        ...


class Refused(Protocol):
    """Where a poll leaves what can't become an event."""

    async def put(self, invalid: Sequence[Invalid], now: datetime) -> bool:
        """Keep it; return whether it is new."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What a poller works with."""

    source: Source
    store: Store
    events: Events
    quarantine: Refused
    suspicion: Suspicion


class Poller:
    """Polls one source. Not reentrant: one poll at a time."""

    def __init__(self, parts: Parts, path: str, clock: Clock, metrics: PollerMetrics, health: Health) -> None:
        """`path` is the route of all carts; `health` knows the conditions `CONDITIONS`."""
        self._parts = parts
        self._path = path
        self._clock = clock
        self._metrics = metrics
        self._health = health
        self._stored: Stored | None = None
        self._step = "state"

    @property
    def step(self) -> str:
        """Return what a poll is at: one of `CONDITIONS`, the one that is to blame when the poll fails.

        During `source` nothing is lost when the poll is cancelled; before and after it, saved events may be on
        their way.
        """
        return self._step

    async def poll(self) -> int:
        """Publish what is pending, then what has changed; return how many events were published.

        Raises:
            PlatformError: the poll failed; nothing is lost, and the next one carries on.
            google.api_core.exceptions.GoogleAPICallError: likewise; a resource or permission is missing.
            CorruptStateError: the state must be mended first.
        """
        started = self._clock.monotonic()
        self._stored = stored = self._stored or await self._load()
        published = await self._settle(stored) if stored.state.pending else 0
        records = await self._fetch()
        # In a thread: a million carts take seconds, and the event loop has probes to answer meanwhile.
        observation, change = await asyncio.to_thread(
            _compare, records, self._current.state, self._clock.now(), self._parts.suspicion
        )
        await self._report(observation, change)
        if change.events:
            await self._save(change.state)
            published += await self._settle(self._current)
        self._step = "state"
        self._metrics.carts_seen.set(len(observation.carts) + len(observation.damaged))
        self._metrics.poll_seconds.observe(self._clock.monotonic() - started)
        return published

    def forget(self) -> None:
        """Read the state again before the next poll, as somebody else may have written it."""
        self._stored = None

    @property
    def _current(self) -> Stored:
        if self._stored is None:
            raise RuntimeError("no state is loaded")
        return self._stored

    async def _load(self) -> Stored:
        self._enter("state")
        return await self._parts.store.load()

    async def _fetch(self) -> list[RawRecord]:
        self._enter("source")
        return await self._parts.source.get_records(self._path)

    async def _report(self, observation: Observation, change: Change) -> None:
        """Keep what can't become an event, and say what is odd about the answer."""
        self._enter("state")
        if change.invalid and await self._parts.quarantine.put(change.invalid, self._clock.now()):
            for item in change.invalid:
                self._metrics.invalid.labels(item.reason).inc()
            first = change.invalid[0]
            logger().warning(
                "invalid carts quarantined", carts=len(change.invalid), reason=first.reason, detail=first.detail
            )
        if change.spared:
            self._metrics.suspicious.inc()
            reason = (
                "it holds records without an id"
                if observation.nameless
                else "too many at once; after the same carts were missing often enough they are, or at once with "
                "`carts_poller --once --accept-missing`"
            )
            logger().error(
                "suspicious answer: no cart is taken as deleted",
                missing=change.spared,
                times=self._parts.suspicion.times,
                reason=reason,
            )
        if observation.conflicting:
            logger().warning(
                "carts came more than once with different content, the last one counts", carts=observation.conflicting
            )

    async def _save(self, state: State) -> None:
        self._enter("state")
        self._stored = await self._parts.store.save(state, self._current.generation)

    async def _settle(self, stored: Stored) -> int:
        """Publish what is saved as pending and confirm it; return how many."""
        pending = stored.state.pending
        self._metrics.pending.set(len(pending))
        self._enter("pubsub")
        outcome = await self._parts.events.publish(pending)
        left = {event.event_id for event in outcome.left}
        for event in pending:
            if event.event_id not in left:
                self._metrics.events.labels(event.event_type).inc()
        self._metrics.pending.set(len(left))
        if outcome.error:
            # In memory only: this process goes on with the rest, a new one publishes all of them again.
            self._stored = Stored(stored.state.confirmed(outcome.left), stored.generation)
            raise outcome.error
        await self._save(stored.state.confirmed())
        return len(pending)

    def _enter(self, step: str) -> None:
        self._step = step
        self._health.progress()


def _compare(records: list[RawRecord], state: State, now: datetime, suspicion: Suspicion) -> tuple[Observation, Change]:
    observation = observe(records)
    alive = sum(known.digest != DELETED for known in state.carts.values())
    spare = suspicion.spares(missing(state, observation), alive)
    return observation, changes(state, observation, now, spare=spare)
