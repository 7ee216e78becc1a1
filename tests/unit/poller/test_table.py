"""The table of carts: what is put in comes out, also as bytes, and anything else is refused."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carts_poller.table import ABSENT, Carts, Known

NUMBERS = st.integers(0, 2**63 - 1)
KNOWN = st.builds(Known, st.integers(1, 2**63 - 1), st.just(ABSENT) | st.integers(2, 2**64 - 1), NUMBERS)
TABLES = st.dictionaries(NUMBERS, KNOWN, max_size=8)


def table(carts: dict[int, Known]) -> Carts:
    made = Carts()
    for number, known in carts.items():
        made.put(number, known)
    return made


@given(TABLES, TABLES)
def test_the_last_thing_put_counts(first: dict[int, Known], second: dict[int, Known]) -> None:
    carts = table(first)
    for number, known in second.items():
        carts.put(number, known)

    wanted = {**first, **second}
    assert dict(carts.items()) == wanted
    assert len(carts) == len(wanted)
    assert carts.alive == sum(known.digest != ABSENT for known in wanted.values())
    assert all(carts.get(number) == known for number, known in wanted.items())


@given(TABLES, st.integers(1, 3))
def test_a_table_survives_as_bytes_in_shards_of_any_size(carts: dict[int, Known], size: int) -> None:
    shards = list(table(carts).shards(size))
    read = Carts()
    for count, data in shards:
        read.add_shard(count, data)

    assert dict(read.items()) == carts
    assert all(count <= size for count, _ in shards)


def test_a_row_alone_is_no_cart() -> None:
    carts = Carts()
    carts.row(5)

    assert (len(carts), carts.get(5), list(carts.items()), list(carts.shards(9))) == (0, None, [], [])


def test_carts_without_a_mark_that_are_not_deleted_are_the_missing_ones() -> None:
    carts = table({1: Known(1, 7, 0), 2: Known(2, ABSENT, 0), 3: Known(1, 8, 0)})

    assert list(carts.not_in(array("Q", [1]))) == [3]


def test_a_text_is_remembered_until_the_cart_changes() -> None:
    carts = table({1: Known(1, 7, 0)})
    row = carts.row(1)
    assert not carts.is_text_at(row, 99)

    carts.remember_text(row, 99)
    assert carts.is_text_at(row, 99)

    carts.put(1, Known(2, 8, 0))
    assert not carts.is_text_at(row, 99)


@pytest.mark.parametrize(
    ("count", "data"),
    [(1, b"x" * 31), (2, b"x" * 32), (1, bytes(32)), (1, b"\xff" * 32)],
    ids=["cut off", "another count", "version 0", "a negative id"],
)
def test_bytes_that_are_no_table_are_refused(count: int, data: bytes) -> None:
    with pytest.raises(ValueError, match="it holds"):
        Carts().add_shard(count, data)
