"""A collection behaves as a dictionary of records does, at any size."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from localcloud.fakestore.store import BLOCK, Collection

SIZE = 5
ids = st.integers(min_value=1, max_value=12)


def generated(record_id: int, revision: int) -> bytes:
    return b"%d@%d" % (record_id, revision)


def listed(collection: Collection, *, descending: bool = False) -> list[bytes]:
    return [record for block in collection.blocks(descending=descending) for record in block]


class CollectionAgainstADictionary(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.collection = Collection(generated, SIZE)
        self.model = {record_id: generated(record_id, 0) for record_id in range(1, SIZE + 1)}
        self.greatest = SIZE
        self.changes = 0

    @rule(record_id=ids, record=st.sampled_from([b"one", b"two", b"three"]))
    def put(self, record_id: int, record: bytes) -> None:
        self.collection.put(record_id, record)
        self.model[record_id] = record
        self.changes += 1

    @rule(record_id=ids)
    def delete(self, record_id: int) -> None:
        removed = self.collection.delete(record_id)
        assert removed == self.model.pop(record_id, None)
        self.changes += removed is not None

    @rule(record_id=ids)
    def revise(self, record_id: int) -> None:
        if record_id not in self.model:
            with pytest.raises(KeyError):
                self.collection.revise(record_id, lambda record: record + b"!")
            return
        before = self.model[record_id]
        self.collection.revise(record_id, lambda record: record + b"!")
        after = self.collection.get(record_id)
        # A record made by the generator may be kept as bytes: both ways of changing it are right.
        revision = before.partition(b"@")[2]
        next_one = generated(record_id, int(revision) + 1) if revision.isdigit() else None
        assert after is not None
        assert after in {before + b"!", next_one}
        self.model[record_id] = after
        self.changes += 1

    @rule()
    def append(self) -> None:
        record_id = self.collection.append()
        assert record_id > max(self.model, default=0)
        self.model[record_id] = generated(record_id, 0)
        self.changes += 1

    @invariant()
    def same_records_in_order(self) -> None:
        assert listed(self.collection) == [self.model[record_id] for record_id in sorted(self.model)]
        assert listed(self.collection, descending=True) == listed(self.collection)[::-1]
        assert self.collection.count == len(self.model)
        assert self.collection.changes == self.changes
        for record_id in range(-1, 15):
            assert self.collection.get(record_id) == self.model.get(record_id)
            assert self.collection.exists(record_id) == (record_id in self.model)


TestCollectionAgainstADictionary = CollectionAgainstADictionary.TestCase
TestCollectionAgainstADictionary.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_a_written_record_that_looks_generated_is_changed_by_the_given_change() -> None:
    collection = Collection(generated, SIZE)
    collection.put(2, generated(2, 0))

    collection.revise(2, lambda record: record + b"!")

    assert collection.get(2) == generated(2, 0) + b"!"


def test_blocks_are_bounded_and_complete_at_any_size() -> None:
    collection = Collection(generated, 2 * BLOCK + 1)

    assert [len(block) for block in collection.blocks()] == [BLOCK, BLOCK, 1]
    assert [len(block) for block in collection.blocks(descending=True)] == [1, BLOCK, BLOCK]
    assert len(listed(collection)) == collection.count


def test_ids_in_a_gap_are_not_made_by_appending_after_a_far_id() -> None:
    collection = Collection(generated, SIZE)
    collection.put(100, b"far")

    assert collection.append() == 101
    assert collection.get(50) is None
    assert listed(collection)[-2:] == [b"far", generated(101, 0)]


def test_a_reset_brings_the_generated_records_back_and_moves_the_version_on() -> None:
    collection = Collection(generated, SIZE)
    collection.delete(1)
    collection.put(9, b"nine")
    version = collection.version

    collection.reset()

    assert listed(collection) == [generated(record_id, 0) for record_id in range(1, SIZE + 1)]
    assert collection.changes == 0
    assert collection.version > version


@pytest.mark.parametrize("record_id", [0, -1])
def test_an_id_that_is_not_positive_is_refused(record_id: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        Collection(generated, SIZE).put(record_id, b"x")
