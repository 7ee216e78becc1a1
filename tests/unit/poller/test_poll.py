"""The order of a poll's steps is the promise: crashes at any of them lose nothing and invent nothing."""

from itertools import count, pairwise

import pytest
from google.api_core.exceptions import ServiceUnavailable

from carts_poller import store
from carts_poller.store import CorruptStateError
from carts_poller.suspicion import Marked
from dataplatform.errors import BusyError, UnavailableError

from .carts import bodies, cart, kinds, replay
from .world import CrashError, World


async def test_what_a_poll_publishes_is_what_it_saved_and_then_nothing_is_pending() -> None:
    world = World([cart(1), cart(2)])
    poller = await world.poller()

    assert await poller.poll() == 2

    assert kinds(world.published) == [("cart_created", 1), ("cart_created", 2)]
    again = world.process()
    await again.history.open()
    assert not again.history.state.pending


async def test_a_poll_without_changes_writes_nothing() -> None:
    world = World([cart(1)])
    poller = await world.poller()
    await poller.poll()
    objects = dict(world.bucket.objects)

    assert await poller.poll() == 0

    assert world.bucket.objects == objects


async def crashed(crash_at: int, *, half: bool) -> World | None:
    """Return a world in which a second poll crashed at its n-th step and a new process polled; None without a crash."""
    world = World([cart(1, (1, 1)), cart(2)])
    await (await world.poller()).poll()
    world.carts = [cart(1, (1, 2)), cart(3)]
    world.publish_at_most = 1 if half else world.publish_at_most
    world.places.crash_at = len(world.places.passed) + crash_at
    try:
        await (await world.poller()).poll()
    except CrashError:
        pass
    except ServiceUnavailable:
        assert half
    else:
        return None
    ended = len(world.places.passed) < world.places.crash_at
    world.places.crash_at, world.publish_at_most = None, 1_000_000
    await (await world.poller()).poll()
    return None if ended else world


@pytest.mark.parametrize("compacting", [False, True])
@pytest.mark.parametrize("half", [False, True], ids=["all", "half published"])
async def test_after_a_crash_at_any_step_a_new_process_tells_every_change_once(
    half: bool, compacting: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if compacting:
        monkeypatch.setattr(store, "_MAX_SEGMENTS", 1)
    steps = set[str]()
    for crash_at in count(1):
        world = await crashed(crash_at, half=half)
        if world is None:
            break
        steps.add(world.places.passed[-1])
        assert sorted(kinds(world.told)) == [
            ("cart_created", 1),
            ("cart_created", 2),
            ("cart_created", 3),
            ("cart_deleted", 2),
            ("cart_updated", 1),
        ]
        assert replay(world.told) == {1: cart(1, (1, 2)), 3: cart(3)}
        assert len({(event.event_id, event.data) for event in world.published}) == len(world.told)
    assert crash_at > 8
    assert steps


async def test_nothing_is_published_before_it_is_saved() -> None:
    world = World([cart(1)])
    world.places.failures["before write log"] = UnavailableError("the bucket is away")

    with pytest.raises(UnavailableError):
        await (await world.poller()).poll()

    assert world.published == []


async def test_pending_events_are_published_before_the_shop_is_asked() -> None:
    world = World([cart(1)])
    world.places.failures["before publish"] = CrashError()
    with pytest.raises(CrashError):
        await (await world.poller()).poll()
    world.places.failures["fetch"] = UnavailableError("the shop is away")

    with pytest.raises(UnavailableError):
        await (await world.poller()).poll()

    assert kinds(world.published) == [("cart_created", 1)]


async def test_the_same_process_goes_on_with_the_events_that_are_left() -> None:
    world = World([cart(1), cart(2), cart(3)], publish_at_most=1)
    poller = await world.poller()
    with pytest.raises(ServiceUnavailable):
        await poller.poll()
    world.publish_at_most = 3

    assert await poller.poll() == 2

    assert kinds(world.published) == [("cart_created", 1), ("cart_created", 2), ("cart_created", 3)]


async def test_a_cart_that_changed_during_an_outage_keeps_its_versions_in_order() -> None:
    world = World([cart(1, (1, 1))], publish_at_most=0)
    poller = await world.poller()
    with pytest.raises(ServiceUnavailable):
        await poller.poll()
    world.publish_at_most, world.carts = 3, [cart(1, (1, 2))]

    await poller.poll()

    assert [body["version"] for body in bodies(world.published)] == [1, 2]


async def test_an_invalid_cart_is_kept_before_its_answer_counts() -> None:
    world = World([cart(1), {**cart(2), "userId": None}])
    world.places.failures["quarantine"] = UnavailableError("the bucket is away")
    poller = await world.poller()

    with pytest.raises(UnavailableError):
        await poller.poll()
    assert world.published == []
    await poller.poll()

    assert kinds(world.published) == [("cart_created", 1)]
    assert len(world.invalid) == 1


async def test_while_a_record_without_an_id_is_there_no_cart_is_taken_as_deleted() -> None:
    world = World([cart(1), cart(2)])
    poller = await world.poller()
    await poller.poll()

    world.carts = [cart(1), {"id": "two"}]
    assert [await poller.poll() for _ in range(5)] == [0] * 5
    world.carts = [cart(1)]
    assert await poller.poll() == 1


@pytest.mark.parametrize(
    ("place", "condition"),
    [
        ("before read head", "state"),
        ("fetch", "source"),
        ("before write log", "state"),
        ("before publish", "pubsub"),
    ],
)
async def test_readiness_names_the_step_that_failed_until_a_poll_succeeds(place: str, condition: str) -> None:
    world = World([cart(1)])
    loop = world.process()
    await loop.turn()
    loop.history.forget()
    world.carts = [cart(2)]
    world.places.failures[place] = UnavailableError("it is away")

    await loop.turn()
    reasons = loop.health.not_ready
    await loop.turn()

    assert reasons == {condition: "it is away"}
    assert loop.health.not_ready == {}


@pytest.mark.parametrize("error", [CorruptStateError("mend it"), RuntimeError("a bug")])
async def test_a_corrupt_state_and_a_bug_end_the_loop(error: Exception) -> None:
    world = World([cart(1)])
    world.places.failures["before read head"] = error

    with pytest.raises(type(error)):
        await world.process().run()


async def test_versions_of_one_cart_never_skip_and_never_repeat() -> None:
    world = World()
    poller = await world.poller()
    for turn in range(12):
        world.carts = [] if turn % 3 == 2 else [cart(1, (1, turn))]
        await poller.poll()

    versions = [body["version"] for body in bodies(world.published)]
    assert versions[0] == 1
    assert all(after == before + 1 for before, after in pairwise(versions))


async def test_an_answer_that_lost_too_much_deletes_nothing_until_it_came_three_times() -> None:
    world = World([cart(1), cart(2), cart(3)])
    poller = await world.poller()
    await poller.poll()

    world.carts = [cart(1, userId=9)]
    assert [await poller.poll() for _ in range(4)] == [1, 0, 2, 0]

    assert kinds(world.published[3:]) == [("cart_updated", 1), ("cart_deleted", 2), ("cart_deleted", 3)]


async def test_an_answer_that_lost_too_much_is_believed_once_when_a_person_says_so() -> None:
    world = World([cart(1), cart(2)])
    process = world.process()
    await process.history.open()
    await process.poller.poll()
    world.carts = []

    assert await process.poller.poll() == 0
    await Marked(world.bucket, "fakestore").give()  # type: ignore[arg-type]  # the bucket in memory
    assert await process.poller.poll() == 2

    world.carts = [cart(3)]
    await process.poller.poll()
    world.carts = []
    assert await process.poller.poll() == 0


async def test_a_deletion_that_was_believed_and_failed_is_believed_again() -> None:
    world = World([cart(1), cart(2)])
    poller = await world.poller()
    await poller.poll()
    world.carts = []
    await Marked(world.bucket, "fakestore").give()  # type: ignore[arg-type]  # the bucket in memory
    world.places.failures["before write log"] = UnavailableError("the bucket is away")
    with pytest.raises(UnavailableError):
        await poller.poll()

    assert await poller.poll() == 2


async def test_an_empty_answer_between_two_good_ones_deletes_nothing() -> None:
    world = World([cart(1), cart(2)])
    poller = await world.poller()
    await poller.poll()
    for carts in ([], [], [cart(1), cart(2)], [], []):
        world.carts = list(carts)
        assert await poller.poll() == 0


async def test_after_a_restart_suspicion_begins_to_count_anew() -> None:
    world = World([cart(1)])
    await (await world.poller()).poll()
    world.carts = []
    for _ in range(5):
        assert await (await world.poller()).poll() == 0


async def test_an_answer_that_did_not_change_is_not_fetched_again() -> None:
    world = World([cart(1)], etag='"1"')
    poller = await world.poller()
    for _ in range(3):
        await poller.poll()
    assert world.requests == {"whole": 1, "unchanged": 2}

    world.carts, world.etag = [cart(1, (1, 1))], '"2"'
    assert await poller.poll() == 1


async def test_an_answer_is_fetched_again_until_all_of_it_is_recorded() -> None:
    world = World([cart(1), cart(2)], etag='"1"')
    world.places.failures["before write log"] = UnavailableError("the bucket is away")
    poller = await world.poller()
    with pytest.raises(UnavailableError):
        await poller.poll()
    assert await poller.poll() == 2

    world.carts, world.etag = [], '"2"'
    assert [await poller.poll() for _ in range(3)] == [0, 0, 2]


async def test_a_process_that_took_over_fetches_the_whole_answer() -> None:
    world = World([cart(1)], etag='"1"')
    await (await world.poller()).poll()

    await (await world.poller()).poll()

    assert world.requests == {"whole": 2}


async def test_a_history_that_was_lost_meanwhile_is_an_error_and_not_a_double() -> None:
    world = World([cart(1)])
    process = world.process("one")
    await process.history.open()
    await process.poller.poll()
    world.seconds += 31
    other = await world.poller("two")
    world.carts = [cart(1, (1, 1))]
    await other.poll()

    with pytest.raises(BusyError):
        await process.poller.poll()

    assert [body["version"] for body in bodies(world.told)] == [1, 2]
