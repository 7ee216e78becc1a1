"""The compact index against what plain Python says."""

from hypothesis import given
from hypothesis import strategies as st

from batch_ingest import index as index_module
from batch_ingest.index import Index, IndexBuilder, Known

IDS = st.integers(0, 12) | st.integers(0, 2**63 - 1)
ENTRIES = st.lists(st.tuples(IDS, st.binary(min_size=8, max_size=8)), max_size=40)
UNIQUE = st.dictionaries(IDS, st.sampled_from([b"a" * 8, b"b" * 8]), max_size=30)


def built(entries: object, run: int = 5) -> Index:
    builder = IndexBuilder(run)
    for number, digest in entries:  # type: ignore[attr-defined]  # pairs, as the strategies make them
        builder.add(number, digest)
    return builder.finish()


@given(ENTRIES)
def test_it_has_each_id_once_in_order_with_the_smallest_digest_and_names_those_that_came_twice(
    entries: list[tuple[int, bytes]],
) -> None:
    index = built(entries)

    ids = [number for number, _ in entries]
    best = {number: min(digest for other, digest in entries if other == number) for number in ids}
    assert [(int.from_bytes(each[:8]), each[8:]) for each in index.entries()] == sorted(best.items())
    twice = sorted({number for number in ids if ids.count(number) > 1})
    assert (index.repeated, index.repeated_count, index.count) == (tuple(twice[:5]), len(twice), len(best))


@given(UNIQUE, st.randoms(use_true_random=False))
def test_its_digest_does_not_depend_on_the_order(entries: dict[int, bytes], random: object) -> None:
    shuffled = list(entries.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random

    assert built(shuffled) == built(entries.items())
    assert built(shuffled).digest == built(entries.items()).digest


@given(UNIQUE, UNIQUE)
def test_it_tells_which_ids_a_later_one_no_longer_has(before: dict[int, bytes], after: dict[int, bytes]) -> None:
    removed = sorted(before.keys() - after.keys())
    old, new = built(before.items()), built(after.items())

    assert old.removed_in(new, at_most=len(removed)) == removed
    assert not removed or old.removed_in(new, at_most=len(removed) - 1) is None


@given(UNIQUE, ENTRIES)
def test_it_knows_a_record_by_id_and_digest_in_whatever_order_it_is_asked(
    before: dict[int, bytes], asked: list[tuple[int, bytes]]
) -> None:
    known = Known(built(before.items()))

    for number, digest in [*asked, *before.items(), *sorted(before.items())]:
        assert known.holds(number, digest) is (before.get(number) == digest)


def test_an_entry_takes_sixteen_bytes() -> None:
    assert index_module.ENTRY_BYTES == 16
