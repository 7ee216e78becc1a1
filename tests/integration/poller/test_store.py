"""The state in a bucket: written by one poller at a time, whatever happens to an answer."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from carts_poller import store as module
from carts_poller.changes import Change, Sighting, changes, microseconds
from carts_poller.state import State
from carts_poller.store import CorruptStateError, Held, StateStore
from dataplatform.clock import SystemClock
from dataplatform.errors import BusyError

from .conftest import World

TEXT = '{"id":1,"userId":1,"date":"2020-03-02T00:00:00.000Z","products":[]}'


def keeper(world: World, holder: str = "one", source: str = "fakestore", *, lease_seconds: float = 30) -> StateStore:
    return StateStore(world.zone, source, SystemClock(), holder=holder, lease_seconds=lease_seconds)


async def opened(store: StateStore) -> State:
    state = await store.open()
    assert isinstance(state, State)
    return state


def changed(state: State, digest: int) -> list[Change]:
    seen = Sighting(1, digest, TEXT, microseconds(datetime.now(UTC)))
    return list(changes(state.carts, [seen], source=state.source, epoch=state.epoch).changes)


async def append(store: StateStore, state: State, digest: int, requests: Sequence[tuple[str, int]] = ()) -> None:
    told = changed(state, digest)
    await store.append(state, told, list(requests))
    state.take(told, requests)


async def test_what_was_appended_is_read_back_as_pending(world: World) -> None:
    store = keeper(world)
    state = await opened(store)
    await append(store, state, 7, [("0123456789abcdef", 5)])

    again = await opened(keeper(world))

    assert again.pending == state.pending
    assert dict(again.carts.items()) == dict(state.carts.items())
    assert again.requests.items() == [("0123456789abcdef", 5)]


async def test_what_was_confirmed_is_not_pending(world: World) -> None:
    store = keeper(world)
    state = await opened(store)
    await store.append(state, changed(state, 7), [])
    state.pending.clear()
    await store.renew(state)

    assert not (await opened(keeper(world))).pending


async def test_of_many_that_open_at_once_one_holds_the_lease(world: World) -> None:
    found = await asyncio.gather(*[keeper(world, str(number)).open() for number in range(6)])

    assert sum(isinstance(one, State) for one in found) == 1
    assert {one.by for one in found if isinstance(one, Held)} <= set("012345")


async def test_of_two_that_append_the_same_number_only_one_wins(world: World) -> None:
    one, other = keeper(world, "one", lease_seconds=0), keeper(world, "two")
    first, second = await opened(one), await opened(other)

    await other.append(second, changed(second, 7), [])
    with pytest.raises(BusyError, match="another poller of fakestore"):
        await one.append(first, changed(first, 8), [])
    with pytest.raises(BusyError):
        await one.renew(first)

    assert first.sequence == 0
    assert (await opened(keeper(world, "two"))).pending == second.pending


async def test_a_write_whose_answer_was_lost_is_no_defeat(world: World) -> None:
    store = keeper(world)
    state, twin = await opened(store), await opened(store)
    told = changed(state, 7)
    await store.append(state, told, [])

    await store.append(twin, told, [])

    assert twin.pending == state.pending


async def test_a_base_is_read_in_place_of_the_journal_that_it_replaced(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_SEGMENTS", 2)
    store = keeper(world)
    state = await opened(store)
    for digest in (7, 8):
        await append(store, state, digest)
        state.pending.clear()
    assert store.is_long(state)
    await store.compact(state)
    await append(store, state, 9)

    names = await world.zone.names("_state/poller/fakestore/")
    again = await opened(keeper(world))

    assert [name.rpartition("/")[2] for name in names if "/log/" in name] == ["000000000003.gz"]
    assert dict(again.carts.items()) == dict(state.carts.items())
    assert again.pending == state.pending


async def test_sources_have_states_of_their_own(world: World) -> None:
    store = keeper(world)
    state = await opened(store)
    await store.append(state, changed(state, 7), [])

    other = await opened(keeper(world, "two", "othershop"))

    assert (other.sequence, len(other.carts)) == (0, 0)


async def test_the_state_of_another_source_is_refused(world: World) -> None:
    store = keeper(world)
    await opened(store)
    found = await world.zone.read(store.head)
    assert found is not None
    other = keeper(world, "two", "othershop")
    await world.zone.replace(other.head, found.data, generation=0)

    with pytest.raises(CorruptStateError, match="it belongs to the source 'fakestore'"):
        await other.open()
