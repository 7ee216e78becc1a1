"""The one history of every cart: whatever was seen, by polling or by push, becomes an event here and nowhere else.

The order of the steps is the promise: what can't be an event is in quarantine, the changes are in the journal, and only
then are their events published. A crash anywhere publishes the same events again, with the same ids, or none.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from carts_poller.changes import Change, Invalid, Sighting, apart, changes
from carts_poller.event import Event
from carts_poller.publish import Outcome
from carts_poller.state import Segment, State
from carts_poller.store import Held
from dataplatform.errors import BusyError
from dataplatform.health import Health
from dataplatform.logs import logger
from dataplatform.metrics import PollerMetrics

CONDITIONS = ("state", "source", "pubsub")


class Store(Protocol):
    """What the history asks of the state's keeper. See `StateStore` for the errors."""

    async def open(self) -> State | Held:
        """Take the lease and return the state."""
        ...

    async def append(self, state: State, changes: list[Change], requests: list[tuple[str, int]]) -> None:
        """Make changes durable."""
        ...

    async def renew(self, state: State) -> None:
        """Keep the lease."""
        ...

    async def release(self, state: State) -> None:
        """Give it up."""
        ...

    def is_long(self, state: State) -> bool:
        """Return whether `compact` is due."""
        ...

    async def compact(self, state: State) -> None:
        """Write a base."""
        ...


class Events(Protocol):
    """What the history asks of the topic."""

    async def publish(self, events: tuple[Event, ...]) -> Outcome:
        """Publish and confirm."""
        ...


class Refused(Protocol):
    """Where the history leaves what can't become an event."""

    async def put(self, invalid: Sequence[Invalid]) -> bool:
        """Keep it; return whether it is new."""
        ...


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of sightings: events published, records in quarantine, sightings that came too late to count.

    `saved` is how many segments of the journal they took.
    """

    published: int
    invalid: int
    stale: int
    saved: int

    def __add__(self, other: "Recorded") -> "Recorded":
        return Recorded(
            self.published + other.published,
            self.invalid + other.invalid,
            self.stale + other.stale,
            self.saved + other.saved,
        )


class Progress:
    """What one activity is at: one of `CONDITIONS`, the one to blame when it fails."""

    def __init__(self, health: Health) -> None:
        """`health` is told of every step."""
        self._health = health
        self.step = "state"

    def enter(self, step: str) -> None:
        """Tell that a step begins."""
        self.step = step
        self._health.progress()


class History:
    """The history of one source's carts, open while this process holds the lease."""

    def __init__(self, store: Store, events: Events, quarantine: Refused, metrics: PollerMetrics) -> None:
        self._store = store
        self._events = events
        self._quarantine = quarantine
        self._metrics = metrics
        self._state: State | None = None
        self._lock = asyncio.Lock()
        # The table is one thread's, and not the event loop's: a million carts take seconds, and probes want answers.
        self._thread = ThreadPoolExecutor(1, "carts")

    @property
    def state(self) -> State:
        """Return the open state.

        Raises:
            BusyError: it is not open.
        """
        if self._state is None:
            raise BusyError("another poller has taken over")
        return self._state

    @property
    def is_open(self) -> bool:
        """Return whether this process may record."""
        return self._state is not None

    async def open(self) -> Held | None:
        """Open the history if it is not open; return who holds it when it is another process."""
        if self._state is not None:
            return None
        found = await self._store.open()
        if isinstance(found, Held):
            self._metrics.leader.set(0)
            return found
        self._state = found
        self._metrics.leader.set(1)
        self._metrics.carts_known.set(len(found.carts))
        return None

    def forget(self) -> None:
        """Close the history without a word to anybody, as somebody else may have written it."""
        self._state = None
        self._metrics.leader.set(0)

    async def renew(self) -> None:
        """Keep the lease, if it is this process's. Raises what the store raises."""
        if self._state is not None:
            await self._store.renew(self._state)

    async def release(self) -> None:
        """Close the history and let another process have it at once. Raises what the store raises."""
        if self._state is not None:
            state = self._state
            self.forget()
            await self._store.release(state)

    async def think[T](self, thought: Callable[[], T]) -> T:
        """Return what `thought` returns, which may read the table of carts and ask for rows of it."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, thought)

    async def settle(self, at: Progress) -> int:
        """Publish what was saved and is not confirmed; return how many events that were."""
        async with self._lock:
            return await self._settle(self.state, at)

    async def record(
        self,
        state: State,
        sightings: Iterable[Sighting],
        at: Progress,
        *,
        invalid: Sequence[Invalid] = (),
        requests: Sequence[tuple[str, int]] = (),
    ) -> Recorded:
        """Take in what was seen: afterwards every change of it is published and confirmed.

        `invalid` are records that were found to be no carts before; `requests` are records of push requests to
        remember. `state` is the one that the sightings were compared with.

        Raises:
            BusyError: another poller has taken over; what is not in the journal must be seen again.
            PlatformError: something did not answer; likewise, and what is in the journal is published next time.
            google.api_core.exceptions.GoogleAPICallError: likewise; a resource or permission is missing.
        """
        async with self._lock:
            if state is not self._state:
                raise BusyError("another poller has taken over")
            published = await self._settle(state, at)
            refused = stale = saved = 0
            groups = apart(sightings) or [[]]
            for number, group in enumerate(groups):
                at.enter("state")
                found = await self.think(partial(changes, state.carts, group, source=state.source, epoch=state.epoch))
                refused += await self._refuse([*invalid, *found.invalid] if number == 0 else found.invalid)
                stale += found.stale
                asked = list(requests) if number == len(groups) - 1 else []
                if found.changes or asked:
                    await self._store.append(state, list(found.changes), asked)
                    # In the table's own thread, as an answer may be compared with it at this moment.
                    await self.think(partial(state.take, found.changes, asked))
                    saved += 1
                    published += await self._settle(state, at)
        self._metrics.stale.inc(stale)
        self._metrics.carts_known.set(len(state.carts))
        return Recorded(published, refused, stale, saved)

    async def confirm(self, state: State, at: Progress) -> None:
        """Write down up to where everything is published, and make a base of a journal that has become long."""
        async with self._lock:
            at.enter("state")
            if self._store.is_long(state) and not state.pending:
                await self._store.compact(state)
            else:
                await self._store.renew(state)

    async def tidy(self, state: State, at: Progress) -> None:
        """Make a base of a journal that has become long. Raises what `confirm` raises."""
        if self._store.is_long(state) and not state.pending:
            await self.confirm(state, at)

    async def _settle(self, state: State, at: Progress) -> int:
        published = 0
        while state.pending:
            segment = state.pending[0]
            self._metrics.pending.set(sum(len(waiting.events) for waiting in state.pending))
            at.enter("pubsub")
            outcome = await self._events.publish(segment.events)
            left = {event.event_id for event in outcome.left}
            for event in segment.events:
                if event.event_id not in left:
                    self._metrics.events.labels(event.event_type).inc()
            published += len(segment.events) - len(left)
            if outcome.error:
                # In memory only: this process goes on with the rest, a new one publishes all of them again.
                state.pending[0] = Segment(segment.sequence, outcome.left)
                raise outcome.error
            state.pending.popleft()
        self._metrics.pending.set(0)
        return published

    async def _refuse(self, invalid: Sequence[Invalid]) -> int:
        if invalid and await self._quarantine.put(invalid):
            for item in invalid:
                self._metrics.invalid.labels(item.reason).inc()
            first = invalid[0]
            logger().warning("invalid carts quarantined", carts=len(invalid), reason=first.reason, detail=first.detail)
        return len(invalid)
