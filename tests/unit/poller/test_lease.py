"""Two pollers of one source: one works, the other stands by and takes over, and no change is told twice."""

import asyncio
from dataclasses import replace

import pytest

from carts_poller import store
from carts_poller.store import CorruptStateError, Held
from dataplatform.errors import BusyError
from dataplatform.rawzone import Versioned

from .carts import bodies, cart
from .world import LEASE_SECONDS, World


async def test_a_second_process_is_told_who_holds_the_lease_and_for_how_long() -> None:
    world = World([cart(1)])
    await world.poller("one")

    held = await world.process("two").history.open()

    assert isinstance(held, Held)
    assert held.by == "one"
    assert 0 < held.seconds <= LEASE_SECONDS


async def test_a_lease_that_is_renewed_is_never_another_s() -> None:
    world = World([cart(1)])
    first, second = world.process("one"), world.process("two")
    await first.history.open()
    for _ in range(20):
        world.seconds += LEASE_SECONDS / 3
        await first.history.renew()
        assert await second.history.open() is not None


async def test_when_the_holder_dies_the_other_takes_over_after_the_lease() -> None:
    world = World([cart(1)])
    await (await world.poller("one")).poll()
    second = world.process("two")
    assert await second.history.open() is not None

    world.seconds += LEASE_SECONDS + 1
    assert await second.history.open() is None
    world.carts = [cart(1, (1, 1))]
    await second.poller.poll()

    assert [body["version"] for body in bodies(world.told)] == [1, 2]


async def test_a_lease_that_was_given_up_is_free_at_once() -> None:
    world = World([cart(1)])
    first = world.process("one")
    await first.history.open()
    await first.close()

    assert await world.process("two").history.open() is None


async def test_a_process_that_slept_beyond_its_lease_finds_its_place_taken_and_doubles_nothing() -> None:
    world = World([cart(1)])
    sleeper, other = world.process("one"), world.process("two")
    await sleeper.turn()
    world.seconds += LEASE_SECONDS + 1
    world.carts = [cart(1, (1, 1))]
    await other.turn()
    world.carts = [cart(1, (1, 2))]

    await sleeper.turn()
    assert not sleeper.history.is_open
    await sleeper.turn()
    await other.turn()

    assert [body["version"] for body in bodies(world.published)] == [1, 2, 3]


async def test_a_process_that_wakes_up_before_the_other_wrote_is_read_by_it() -> None:
    world = World([cart(1)])
    sleeper, other = world.process("one"), world.process("two")
    await sleeper.turn()
    world.seconds += LEASE_SECONDS + 1
    assert await other.history.open() is None
    world.carts = [cart(1, (1, 1))]
    await sleeper.once()  # it writes the next segment, and learns only then that its lease is gone
    assert not sleeper.history.is_open
    world.carts = [cart(1, (1, 2))]

    await other.turn()
    assert not other.history.is_open
    await other.turn()

    assert [body["version"] for body in bodies(world.told)] == [1, 2, 3]


async def test_of_two_that_begin_at_once_one_holds_the_lease() -> None:
    world = World([cart(1)])
    processes = [world.process(str(number)) for number in range(5)]

    held = await asyncio.gather(*[process.history.open() for process in processes])

    assert held.count(None) == 1


async def test_a_single_poll_waits_for_the_end_of_a_dead_holder_s_lease() -> None:
    world = World([cart(1)])
    await world.poller("dead")

    assert await world.process("one").single() is None
    assert world.seconds > LEASE_SECONDS


async def test_a_single_poll_is_refused_while_another_process_keeps_its_lease() -> None:
    world = World([cart(1)])
    living = world.process("living")
    await living.history.open()

    class Renewing(World):
        async def sleep(self, seconds: float) -> None:
            world.seconds += seconds / 2
            await living.history.renew()
            world.seconds += seconds / 2

    other = replace(world.process("two"), clock=Renewing())
    with pytest.raises(BusyError, match="the poller living is at work"):
        await other.single()


async def test_a_base_replaces_the_journal_and_holds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_MAX_SEGMENTS", 3)
    world = World()
    first = world.process()
    for turn in range(20):
        world.carts = [cart(number, (1, turn)) for number in range(turn)]
        await first.turn()

    assert len([name for name in world.bucket.objects if "/log/" in name]) < 3
    assert len([name for name in world.bucket.objects if "/base/" in name]) == 1
    fresh = world.process()
    await fresh.history.open()
    assert dict(fresh.history.state.carts.items()) == dict(first.history.state.carts.items())


async def with_base_and_journal(monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a world whose state has a head, a base and two segments after it."""
    monkeypatch.setattr(store, "_MAX_SEGMENTS", 3)
    world = World()
    process = world.process()
    for turn in range(5):
        world.carts = [cart(1, (1, turn))]
        await process.turn()
    assert [sum(kind in name for name in world.bucket.objects) for kind in KINDS] == [1, 2, 1]
    return world


KINDS = ("head.json", "/log/", "/base/")


@pytest.mark.parametrize("kind", KINDS)
async def test_an_object_that_is_damaged_ends_it_with_the_command_that_mends_it(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await with_base_and_journal(monkeypatch)
    name = next(name for name in sorted(world.bucket.objects) if kind in name)
    found = world.bucket.objects[name]
    world.bucket.objects[name] = Versioned(found.data[: len(found.data) // 2], found.generation)

    with pytest.raises(CorruptStateError, match=MEND) as refused:
        await world.process().history.open()
    assert name in str(refused.value)


@pytest.mark.parametrize("kind", KINDS[1:])
async def test_an_object_that_is_missing_ends_it_with_the_command_that_mends_it(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await with_base_and_journal(monkeypatch)
    name = next(name for name in sorted(world.bucket.objects) if kind in name)
    del world.bucket.objects[name]

    with pytest.raises(CorruptStateError, match=MEND) as refused:
        await world.process().history.open()
    assert name in str(refused.value)


MEND = r"`gcloud storage mv gs://bucket/_state/poller/fakestore/head.json gs://bucket/\S+/head.json.corrupt`"


async def test_a_head_that_is_missing_begins_a_new_epoch_with_other_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    world = await with_base_and_journal(monkeypatch)
    before = {event.event_id for event in world.published}
    del world.bucket.objects["_state/poller/fakestore/head.json"]
    world.published.clear()
    world.seconds += 1

    await world.process().turn()

    assert [body["version"] for body in bodies(world.published)] == [1]
    assert before.isdisjoint(event.event_id for event in world.published)
