"""The order of a poll's steps is the promise: crashes at any of them lose nothing and invent nothing."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from google.api_core.exceptions import ServiceUnavailable
from prometheus_client import CollectorRegistry

from carts_poller.event import Event
from carts_poller.loop import Loop
from carts_poller.observation import Invalid
from carts_poller.poll import CONDITIONS, Parts, Poller
from carts_poller.publish import Outcome
from carts_poller.state import State, decode, encode
from carts_poller.store import CorruptStateError, Stored
from carts_poller.suspicion import Suspicion
from dataplatform.errors import BusyError, UnavailableError
from dataplatform.health import Health
from dataplatform.metrics import PollerMetrics
from dataplatform.runtime import Stop
from dataplatform.source import RawRecord

from .carts import EMPTY, NOW, bodies, cart, kinds, replay


class CrashError(BaseException):
    """The process ends here."""


@dataclass
class World:
    """A shop, a bucket and a topic in memory, with places to fail at."""

    carts: list[dict[str, Any]] = field(default_factory=list)
    saved: bytes | None = None
    generation: int = 0
    published: list[Event] = field(default_factory=list)
    invalid: list[Invalid] = field(default_factory=list)
    failures: dict[str, BaseException] = field(default_factory=dict)
    publish_at_most: int = 1_000_000
    time: float = 0.0

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds

    def _meet(self, place: str) -> None:
        if place in self.failures:
            raise self.failures.pop(place)

    async def get_records(self, path: str) -> list[RawRecord]:
        assert path == "/carts"
        self._meet("fetch")
        return [RawRecord(one, json.dumps(one)) for one in self.carts]

    async def load(self) -> Stored:
        self._meet("load")
        return Stored(decode(self.saved) if self.saved else EMPTY, self.generation)

    async def save(self, state: State, generation: int) -> Stored:
        what = "save" if state.pending else "confirm"
        self._meet(f"before {what}")
        if generation != self.generation:
            raise BusyError("another poller")
        self.saved, self.generation = encode(state), generation + 1
        self._meet(f"after {what}")
        return Stored(state, self.generation)

    async def publish(self, events: tuple[Event, ...]) -> Outcome:
        self._meet("before publish")
        self.published += events[: self.publish_at_most]
        self._meet("after publish")
        left = events[self.publish_at_most :]
        return Outcome(left, ServiceUnavailable("away") if left else None)

    async def put(self, invalid: Sequence[Invalid], now: datetime) -> bool:
        self._meet("quarantine")
        assert now == NOW
        self.invalid += invalid
        return True

    def poller(self) -> Poller:
        return self.program().poller

    def program(self) -> Loop:
        health = Health(self, stalled_after_seconds=1, conditions=CONDITIONS)
        metrics = PollerMetrics(CollectorRegistry())
        suspicion = Suspicion(max_missing_ratio=0.5, accept_after=3)
        poller = Poller(Parts(self, self, self, self, suspicion), "/carts", self, metrics, health)
        return Loop(poller, Stop(), self, metrics, health, interval_seconds=60, drain_seconds=1)


async def test_what_a_poll_publishes_is_what_it_saved_and_then_nothing_is_pending() -> None:
    world = World([cart(1), cart(2)])

    assert await world.poller().poll() == 2

    assert kinds(world.published) == [("cart_created", 1), ("cart_created", 2)]
    assert (await world.load()).state.pending == ()


async def test_a_poll_without_changes_writes_nothing() -> None:
    world = World([cart(1)])
    poller = world.poller()
    await poller.poll()
    generation = world.generation

    assert await poller.poll() == 0

    assert world.generation == generation


CRASHES = ["load", "fetch", "before save", "after save", "before publish", "after publish", "before confirm"]


@pytest.mark.parametrize("place", [*CRASHES, "after confirm"])
@pytest.mark.parametrize("half", [False, True], ids=["all", "half published"])
async def test_after_a_crash_anywhere_a_new_process_tells_every_change_once(place: str, half: bool) -> None:
    world = World([cart(1, (1, 1)), cart(2)])
    await world.poller().poll()
    world.carts = [cart(1, (1, 2)), cart(3)]
    world.failures[place] = CrashError()
    world.publish_at_most = 1 if half else world.publish_at_most

    with pytest.raises((CrashError, ServiceUnavailable)):
        await world.poller().poll()
    world.failures.clear()
    world.publish_at_most = 1_000_000
    await world.poller().poll()

    told = {event.event_id: event for event in world.published}
    assert sorted(kinds(told.values())) == [
        ("cart_created", 1),
        ("cart_created", 2),
        ("cart_created", 3),
        ("cart_deleted", 2),
        ("cart_updated", 1),
    ]
    assert replay(told.values()) == {1: cart(1, (1, 2)), 3: cart(3)}
    assert len({(event.event_id, event.data) for event in world.published}) == len(told)


async def test_nothing_is_published_before_it_is_saved() -> None:
    world = World([cart(1)])
    world.failures["before save"] = UnavailableError("the bucket is away")

    with pytest.raises(UnavailableError):
        await world.poller().poll()

    assert world.published == []


async def test_pending_events_are_published_before_the_shop_is_asked() -> None:
    world = World([cart(1)])
    world.failures["before publish"] = CrashError()
    with pytest.raises(CrashError):
        await world.poller().poll()
    world.failures["fetch"] = UnavailableError("the shop is away")

    with pytest.raises(UnavailableError):
        await world.poller().poll()

    assert kinds(world.published) == [("cart_created", 1)]


async def test_the_same_process_goes_on_with_the_events_that_are_left() -> None:
    world = World([cart(1), cart(2), cart(3)], publish_at_most=1)
    poller = world.poller()
    with pytest.raises(ServiceUnavailable):
        await poller.poll()
    world.publish_at_most = 3

    assert await poller.poll() == 2

    assert kinds(world.published) == [("cart_created", 1), ("cart_created", 2), ("cart_created", 3)]


async def test_a_cart_that_changed_during_an_outage_keeps_its_versions_in_order() -> None:
    world = World([cart(1, (1, 1))], publish_at_most=0)
    poller = world.poller()
    with pytest.raises(ServiceUnavailable):
        await poller.poll()
    world.publish_at_most, world.carts = 3, [cart(1, (1, 2))]

    await poller.poll()

    assert [body["version"] for body in bodies(world.published)] == [1, 2]


async def test_an_invalid_cart_is_kept_before_its_answer_counts() -> None:
    world = World([cart(1), {**cart(2), "userId": None}])
    world.failures["quarantine"] = UnavailableError("the bucket is away")
    poller = world.poller()

    with pytest.raises(UnavailableError):
        await poller.poll()
    assert world.published == []
    await poller.poll()

    assert kinds(world.published) == [("cart_created", 1)]
    assert len(world.invalid) == 1


async def test_after_another_poller_wrote_its_state_is_read_and_gone_on_with() -> None:
    world = World([cart(1)])
    one, other = world.program(), world.program()
    await one.once()
    await other.once()
    world.carts = [cart(1, (1, 1))]
    await one.once()
    world.carts = [cart(1, (1, 2))]

    first, second = await other.once(), await other.once()

    assert isinstance(first, BusyError)
    assert second is None
    assert [body["version"] for body in bodies(world.published)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("place", "condition"),
    [("load", "state"), ("fetch", "source"), ("before save", "state"), ("before publish", "pubsub")],
)
async def test_readiness_names_the_step_that_failed_until_a_poll_succeeds(place: str, condition: str) -> None:
    world = World([cart(1)])
    loop = world.program()
    await loop.once()
    loop.poller.forget()
    world.carts = [cart(2)]
    world.failures[place] = UnavailableError("it is away")

    failed = await loop.once()
    reasons = loop.health.not_ready
    mended = await loop.once()

    assert isinstance(failed, UnavailableError)
    assert reasons == {condition: "it is away"}
    assert (mended, loop.health.not_ready) == (None, {})


@pytest.mark.parametrize("error", [CorruptStateError("mend it"), RuntimeError("a bug")])
async def test_a_corrupt_state_and_a_bug_end_the_loop(error: Exception) -> None:
    world = World([cart(1)], failures={"load": error})

    with pytest.raises(type(error)):
        await world.program().run()


async def test_versions_of_one_cart_never_skip_and_never_repeat() -> None:
    world = World()
    poller = world.poller()
    for turn in range(12):
        world.carts = [] if turn % 3 == 2 else [cart(1, (1, turn))]
        await poller.poll()

    versions = [body["version"] for body in bodies(world.published)]
    assert versions[0] == 1
    assert all(after == before + 1 for before, after in pairwise(versions))


async def test_an_answer_that_lost_too_much_deletes_nothing_until_it_came_three_times() -> None:
    world = World([cart(1), cart(2), cart(3)])
    poller = world.poller()
    await poller.poll()

    world.carts = [cart(1, userId=9)]
    assert [await poller.poll() for _ in range(4)] == [1, 0, 2, 0]

    assert kinds(world.published[3:]) == [("cart_updated", 1), ("cart_deleted", 2), ("cart_deleted", 3)]


async def test_an_empty_answer_between_two_good_ones_deletes_nothing() -> None:
    world = World([cart(1), cart(2)])
    poller = world.poller()
    await poller.poll()
    for carts in ([], [], [cart(1), cart(2)], [], []):
        world.carts = carts
        assert await poller.poll() == 0


async def test_after_a_restart_suspicion_begins_to_count_anew() -> None:
    world = World([cart(1)])
    await world.poller().poll()
    world.carts = []
    for _ in range(5):
        assert await world.poller().poll() == 0
