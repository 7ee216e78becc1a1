"""A poller that was away while another worked, and its own activities that meet: the state stays whole."""

import asyncio
import json
import sys
from dataclasses import dataclass, field
from functools import partial
from itertools import batched
from typing import Any, cast

import pytest

from carts_poller import store
from carts_poller.answer import Answer
from carts_poller.canonical import cart_digest
from carts_poller.changes import Sighting, microseconds
from carts_poller.history import CONDITIONS, Progress
from carts_poller.loop import Loop
from dataplatform.health import Health
from dataplatform.rawzone import Versioned
from dataplatform.source import RawRecord

from .carts import bodies, cart, records
from .world import LEASE_SECONDS, Bucket, World


@dataclass
class Gate:
    """Keeps a call until it is opened."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def pass_through(self) -> None:
        self.reached.set()
        await self.opened.wait()


class GatedBucket(Bucket):
    """A bucket in which the next write of the head, or the next listing, can be held."""

    head: Gate | None = None
    listing: Gate | None = None

    async def replace(self, name: str, data: bytes, *, generation: int) -> int | None:
        gate, self.head = self.head, None
        if gate:
            await gate.pass_through()
        return await super().replace(name, data, generation=generation)

    async def names(self, prefix: str) -> list[str]:
        if prefix.endswith("/base/"):
            gate, self.listing = self.listing, None
            if gate:
                await gate.pass_through()
        return await super().names(prefix)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(store, "_MAX_SEGMENTS", 1)  # a base after each poll with changes
    world = World([cart(1, (1, 0))])
    world.bucket = GatedBucket(world.places)
    return world


def gated(world: World) -> GatedBucket:
    return cast("GatedBucket", world.bucket)


def at(world: World) -> Progress:
    return Progress(Health(world, stalled_after_seconds=1, conditions=CONDITIONS))


async def pushed(world: World, process: Loop, one: Any, *, seen_at: int | None = None) -> None:
    """Take in a pushed cart."""
    [record] = records(json.dumps(one))
    moment = microseconds(world.now()) if seen_at is None else seen_at
    sighting = Sighting(one["id"], cart_digest(one), record.text, moment)
    await process.history.record(process.history.state, [sighting], at(world))


async def versions_after_a_restart(world: World, *more: Any) -> list[int]:
    """Return the versions that were told of cart 1 after a new process polled."""
    world.seconds += LEASE_SECONDS + 1
    world.carts = [cart(1, (1, 99)), *more]
    await world.process("fresh").turn()
    return [body["version"] for body in bodies(world.told) if body["cart_id"] == 1]


async def test_a_number_that_is_free_again_since_a_base_replaced_it_tells_nothing_twice(world: World) -> None:
    sleeper, other = world.process("one"), world.process("two")
    await sleeper.turn()
    world.seconds += LEASE_SECONDS + 1
    for quantity in (1, 2, 3):
        world.carts = [cart(1, (1, quantity))]
        await other.turn()
    world.carts = [cart(1, (1, 4))]

    await sleeper.once()

    assert not sleeper.history.is_open
    assert len({event.data for event in world.published}) == len(world.told)
    assert await versions_after_a_restart(world) == [1, 2, 3, 4, 5]


async def test_a_poller_whose_epoch_is_over_tells_nothing_more_in_it(world: World) -> None:
    process = world.process("one")
    await process.turn()
    del world.bucket.objects["_state/poller/fakestore/head.json"]
    world.seconds += 1
    await world.process("two").turn()
    world.carts = [cart(1, (1, 1))]

    await process.once()

    assert not process.history.is_open
    assert [body["version"] for body in bodies(world.told)] == [1, 1]


async def test_a_poller_that_wakes_up_while_it_tidies_leaves_the_base_of_another_alone(world: World) -> None:
    sleeper, other = world.process("one"), world.process("two")
    gate = gated(world).listing = Gate()
    tidying = asyncio.create_task(sleeper.turn())
    await gate.reached.wait()
    world.seconds += LEASE_SECONDS + 1
    world.carts = [cart(1, (1, 1))]
    await other.turn()

    gate.opened.set()
    await tidying

    assert await versions_after_a_restart(world) == [1, 2, 3]


async def test_a_lease_that_is_renewed_while_a_base_is_written_keeps_the_base(world: World) -> None:
    process = world.process()
    await process.turn()
    world.carts = [cart(1, (1, 1))]
    # The poll's own write of the head is the one that counts the new base.
    gate = gated(world).head = Gate()
    polling = asyncio.create_task(process.turn())
    await gate.reached.wait()
    renewing = asyncio.create_task(process.history.renew())
    await asyncio.sleep(0.01)  # it waits for its turn

    gate.opened.set()
    await asyncio.gather(polling, renewing)

    assert await versions_after_a_restart(world) == [1, 2, 3]


async def test_a_lease_is_given_up_even_if_a_renewal_was_cut_off_and_lands_all_the_same(world: World) -> None:
    process = world.process()
    await process.turn()
    bucket = world.bucket
    name = "_state/poller/fakestore/head.json"
    # What a renewal that nobody waits for any more leaves behind: a head of this holder, of another generation.
    found = bucket.objects[name]
    bucket.objects[name] = Versioned(found.data, found.generation + 1)

    await process.close()

    assert await world.process("two").history.open() is None


async def test_an_answer_is_asked_for_as_a_whole_again_after_a_push(world: World) -> None:
    world.etag = '"1"'
    process = world.process()
    await process.turn()
    await process.turn()
    assert world.requests == {"whole": 1, "unchanged": 1}

    await pushed(world, process, cart(1, (1, 5)))
    await process.turn()
    await process.turn()

    assert world.requests == {"whole": 2, "unchanged": 2}
    assert [body["version"] for body in bodies(world.told)] == [1, 2, 3]


async def test_an_answer_with_a_cart_that_came_too_late_to_count_is_asked_for_again(world: World) -> None:
    world.etag = '"1"'
    process = world.process()
    await process.turn()
    world.etag, world.carts = '"2"', [cart(1, (1, 7))]
    await pushed(world, process, cart(1, (1, 5)), seen_at=microseconds(world.now()) + 1_000_000)
    await process.turn()
    world.seconds += 2

    await process.turn()

    assert [body["cart"]["products"][0]["quantity"] for body in bodies(world.told)] == [0, 5, 7]


async def test_a_journal_of_pushes_becomes_a_base_without_a_poll_that_finds_something(world: World) -> None:
    process = world.process()
    await process.turn()
    for quantity in range(1, 4):
        await pushed(world, process, cart(1, (1, quantity)))
        await process.history.tidy(process.history.state, at(world))

    assert len([name for name in world.bucket.objects if "/log/" in name]) == 0
    assert await versions_after_a_restart(world) == [1, 2, 3, 4, 5]


async def test_carts_that_are_pushed_while_others_are_compared_have_rows_of_their_own(world: World) -> None:
    process = world.process()
    await process.turn()
    state = process.history.state
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        answer = Answer(state.carts, 0)
        several = [RawRecord(cart(number), f'{{"id":{number}}}') for number in range(1000, 21_000)]

        async def compare() -> None:
            for some in batched(several, 100, strict=False):
                await process.history.think(partial(answer.take, some))

        comparing = asyncio.create_task(compare())
        for number in range(100_000, 100_200):
            await pushed(world, process, cart(number))
        await comparing
    finally:
        sys.setswitchinterval(interval)

    numbers = [*range(1000, 21_000), *range(100_000, 100_200)]
    assert len({state.carts.row(number) for number in numbers}) == len(numbers)
    assert len(state.carts) == 201
