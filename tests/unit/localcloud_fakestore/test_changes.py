"""Changes over time are the same for the same seed, touch each cart once a call, and keep to their kinds."""

import json

import pytest

from localcloud.fakestore.changes import Changed, Changes, Pace, bumped
from localcloud.fakestore.generate import Generator
from localcloud.fakestore.options import Options
from localcloud.fakestore.store import Collection


def carts(size: int) -> Collection:
    return Collection(Generator(Options(carts=size)).cart, size)


def touched(changed: Changed) -> list[int]:
    return changed.updated + changed.created + changed.deleted


def test_the_same_seed_changes_the_same_carts_and_another_seed_others() -> None:
    def run(seed: int) -> list[Changed]:
        changes = Changes(carts(1000), seed)
        return [changes.apply(20) for _ in range(3)]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_half_is_updated_and_a_quarter_each_created_and_deleted() -> None:
    changed = Changes(carts(1000), 1).apply(100)

    assert (len(changed.updated), len(changed.created), len(changed.deleted)) == (50, 25, 25)


def test_the_kinds_go_on_in_turn_over_several_calls() -> None:
    changes = Changes(carts(100), 1)
    kinds = [changes.apply(1) for _ in range(4)]

    assert [bool(changed.updated) for changed in kinds] == [True, False, True, False]
    assert [bool(changed.created) for changed in kinds] == [False, True, False, False]
    assert [bool(changed.deleted) for changed in kinds] == [False, False, False, True]


@pytest.mark.parametrize("size", [1, 2, 7, 64, 999])
def test_one_call_can_touch_every_cart_and_none_twice(size: int) -> None:
    collection = carts(size)
    before = [collection.get(cart_id) for cart_id in range(1, size + 1)]

    changed = Changes(collection, 5).apply(size, ("updated",))

    assert sorted(changed.updated) == list(range(1, size + 1))
    after = [collection.get(cart_id) for cart_id in range(1, size + 1)]
    assert all(old != new for old, new in zip(before, after, strict=True))


def test_more_changes_than_carts_end_short() -> None:
    changed = Changes(carts(3), 1).apply(10, ("deleted",))

    assert sorted(changed.deleted) == [1, 2, 3]


def test_an_empty_collection_can_only_grow() -> None:
    changed = Changes(carts(0), 1).apply(4)

    assert (changed.updated, changed.created, changed.deleted) == ([], [1], [])


def test_the_collection_shows_what_was_said_to_change() -> None:
    collection, untouched = carts(50), carts(50)

    changed = Changes(collection, 9).apply(30)

    assert len(set(touched(changed))) == 30
    for cart_id in range(1, 60):
        same = collection.get(cart_id) == untouched.get(cart_id)
        assert same == (cart_id not in touched(changed))
    assert all(not collection.exists(cart_id) for cart_id in changed.deleted)
    assert all(collection.exists(cart_id) for cart_id in changed.created)


def test_carts_written_beyond_the_generated_ones_are_changed_too() -> None:
    collection = carts(0)
    collection.put(500, b'{"id":500,"products":[{"productId":1,"quantity":10}]}')

    changed = Changes(collection, 1).apply(1, ("updated",))

    assert changed.updated == [500]
    assert collection.get(500) == b'{"id":500,"products":[{"productId":1,"quantity":1}]}'


@pytest.mark.parametrize("lines", ["[]", '"none"', "null", "[7]", '[{"productId":1,"quantity":"two"}]'])
def test_a_strange_cart_changes_all_the_same(lines: str) -> None:
    strange = f'{{"id":1,"products":{lines}}}'.encode()

    assert bumped(strange) != strange
    assert json.loads(bumped(strange))["id"] == 1


def test_a_pace_loses_no_fraction_and_never_goes_back() -> None:
    pace = Pace(10.0)

    assert [pace.due(10.0 + tick * 0.25, 2.0) for tick in range(1, 9)] == [0, 1, 0, 1, 0, 1, 0, 1]
    assert pace.due(0.0, 2.0) == 0
    assert pace.due(0.5, 2.0) == 1


def test_a_pace_of_zero_owes_nothing() -> None:
    assert Pace(0.0).due(1e6, 0.0) == 0
