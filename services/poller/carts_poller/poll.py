"""One poll: publish what is left, ask the shop, find what changed while its answer arrives, record it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Protocol

from carts_poller.answer import Answer
from carts_poller.changes import microseconds
from carts_poller.history import History, Progress, Recorded
from carts_poller.state import State
from carts_poller.suspicion import Acceptance, Suspicion
from dataplatform.clock import Clock
from dataplatform.logs import logger
from dataplatform.metrics import PollerMetrics
from dataplatform.source import RawRecord, Take, Validators


class Source(Protocol):
    """What a poll asks of the shop."""

    async def stream_changed[T](self, path: str, take: Take[T], known: Validators) -> tuple[T, Validators] | None:
        """Return what `take` makes of the records of a route, None when they are the known ones."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What a poller works with."""

    source: Source
    history: History
    suspicion: Suspicion
    acceptance: Acceptance


class Poller:
    """Polls one source. Not reentrant: one poll at a time."""

    def __init__(self, parts: Parts, path: str, clock: Clock, metrics: PollerMetrics, at: Progress) -> None:
        """`path` is the route of all carts; `at` is told of each step.

        A poll may be cancelled during the step `source`; at any other, saved events may be on their way.
        """
        self._parts = parts
        self.at = at
        self._path = path
        self._clock = clock
        self._metrics = metrics
        # What the source calls the last answer, if all of it is recorded in this state, and nothing after it.
        self._recorded: tuple[State, int, Validators] | None = None

    async def poll(self) -> int:
        """Publish what is pending, then what has changed; return how many events were published.

        The history must be open.

        Raises:
            PlatformError: the poll failed; nothing is lost, and the next one carries on.
            google.api_core.exceptions.GoogleAPICallError: likewise; a resource or permission is missing.
        """
        started = self._clock.monotonic()
        history, state = self._parts.history, self._parts.history.state
        published = await history.settle(self.at)
        known, before = self._known(state), state.sequence
        self._recorded = None
        # Before the request is sent: whatever anybody sees later than this counts more than the answer.
        seen_at = microseconds(self._clock.now())

        async def take(chunks: AsyncIterator[list[RawRecord]]) -> Answer:
            answer = Answer(state.carts, seen_at)
            async for records in chunks:
                self.at.enter("source")
                await history.think(partial(answer.take, records))
            return answer

        self.at.enter("source")
        found = await self._parts.source.stream_changed(self._path, take, known)
        if found is None:
            self._metrics.unchanged.inc()
            self._recorded = (state, before, known)
        else:
            answer, validators = found
            recorded = await self._record(state, answer)
            published += recorded.published
            if not (answer.nameless or answer.damaged or self._parts.suspicion.times or recorded.stale):
                self._recorded = (state, before + recorded.saved, validators)
        if published:
            await history.confirm(state, self.at)
        self._metrics.poll_seconds.observe(self._clock.monotonic() - started)
        return published

    def _known(self, state: State) -> Validators:
        """Return what the last answer is recognised by, if the state still is what that answer showed.

        When a push was recorded after it, the shop may show something else without having changed.
        """
        if self._recorded and self._recorded[0] is state and self._recorded[1] == state.sequence:
            return self._recorded[2]
        return Validators()

    async def _record(self, state: State, answer: Answer) -> Recorded:
        """Record what an answer shows; return what became of it."""
        history = self._parts.history
        self.at.enter("state")
        self._count(answer)
        gone = await self._gone(state, answer)
        all_of_it, invalid = Recorded(0, 0, 0, 0), [*answer.nameless, *answer.damaged]
        for sightings in chain(answer.sightings(), answer.gone(gone)):
            all_of_it += await history.record(state, sightings, self.at, invalid=invalid)
            invalid = []
        if invalid:
            all_of_it += await history.record(state, [], self.at, invalid=invalid)
        return all_of_it

    async def _gone(self, state: State, answer: Answer) -> list[int]:
        """Return the carts that are to be taken as deleted."""
        missing = await self._parts.history.think(answer.missing)
        doubted = self._parts.suspicion.doubts(missing, state.carts.alive)
        if doubted and await self._parts.acceptance.given():
            logger().warning("missing carts are taken as deleted, as a person said so", carts=len(missing))
            self._parts.suspicion.believe()
            doubted = False
        if not missing or not (doubted or answer.nameless):
            return missing
        self._metrics.suspicious.inc()
        reason = (
            "it holds records without an id"
            if answer.nameless
            else "too many at once; after the same carts were missing often enough they are, or at once with "
            "`carts_poller --accept-missing`"
        )
        logger().error(
            "suspicious answer: no cart is taken as deleted",
            missing=len(missing),
            times=self._parts.suspicion.times,
            reason=reason,
        )
        return []

    def _count(self, answer: Answer) -> None:
        self._metrics.carts_seen.set(answer.count)
        self._metrics.duplicates.labels("repeated").inc(answer.repeated)
        self._metrics.duplicates.labels("conflicting").inc(answer.conflicting)
        if answer.conflicting:
            logger().warning(
                "carts came more than once with different content, the last one counts", carts=answer.conflicting
            )
