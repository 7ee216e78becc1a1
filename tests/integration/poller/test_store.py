"""The state's object in a bucket: written by one poller at a time, whatever happens to an answer."""

from datetime import UTC, datetime

import pytest

from carts_poller.changes import changes
from carts_poller.observation import observe
from carts_poller.state import State
from carts_poller.store import CorruptStateError, StateStore
from dataplatform.clock import SystemClock
from dataplatform.errors import BusyError
from dataplatform.source import RawRecord

from .conftest import World

CART = {"id": 1, "userId": 1, "date": "2020-03-02T00:00:00.000Z", "products": []}
TEXT = '{"id":1,"userId":1,"date":"2020-03-02T00:00:00.000Z","products":[]}'


@pytest.fixture
def store(world: World) -> StateStore:
    return StateStore(world.zone, "fakestore", SystemClock())


def changed(state: State) -> State:
    return changes(state, observe([RawRecord(CART, TEXT)]), datetime.now(UTC)).state


async def test_without_an_object_there_is_a_new_state_that_is_not_saved_yet(world: World, store: StateStore) -> None:
    stored = await store.load()

    assert (stored.generation, stored.state.carts, stored.state.pending) == (0, {}, ())
    assert await world.state() is None


async def test_what_was_saved_is_loaded_with_its_pending_events(store: StateStore) -> None:
    stored = await store.load()

    saved = await store.save(changed(stored.state), stored.generation)

    assert await store.load() == saved
    assert len(saved.state.pending) == 1


async def test_a_saved_state_can_be_replaced_without_loading_it_again(store: StateStore) -> None:
    stored = await store.load()
    saved = await store.save(changed(stored.state), stored.generation)

    confirmed = await store.save(saved.state.confirmed(), saved.generation)

    assert await store.load() == confirmed
    assert confirmed.state.pending == ()


@pytest.mark.parametrize("existed", [False, True])
async def test_of_two_pollers_only_one_wins(store: StateStore, existed: bool) -> None:
    if existed:
        stored = await store.load()
        await store.save(stored.state, stored.generation)
    one, other = await store.load(), await store.load()
    won = await store.save(changed(one.state), one.generation)

    with pytest.raises(BusyError, match="another poller of fakestore"):
        await store.save(State("fakestore", 5), other.generation)

    assert await store.load() == won


async def test_a_write_whose_answer_was_lost_is_no_defeat(store: StateStore) -> None:
    stored = await store.load()
    state = changed(stored.state)
    saved = await store.save(state, stored.generation)

    again = await store.save(state, stored.generation)

    assert again == saved


async def test_sources_have_states_of_their_own(world: World, store: StateStore) -> None:
    other = StateStore(world.zone, "othershop", SystemClock())
    stored = await store.load()
    await store.save(changed(stored.state), stored.generation)

    assert (await other.load()).generation == 0


async def test_the_state_of_another_source_is_refused(world: World, store: StateStore) -> None:
    stored = await store.load()
    await store.save(stored.state, stored.generation)
    found = await world.zone.read(store.name)
    assert found is not None
    other = StateStore(world.zone, "othershop", SystemClock())
    await world.zone.replace(other.name, found.data, generation=0)

    with pytest.raises(CorruptStateError, match="it belongs to the source 'fakestore'"):
        await other.load()
