"""Answers that lost many carts at once are not believed at once."""

import pytest

from carts_poller.suspicion import Suspicion


@pytest.mark.parametrize(
    ("missing", "alive", "spared"), [(0, 0, False), (0, 9, False), (5, 10, False), (6, 10, True), (1, 1, True)]
)
def test_more_than_the_share_is_suspicious(missing: int, alive: int, spared: bool) -> None:
    assert Suspicion(max_missing_ratio=0.5, accept_after=2).doubts(range(missing), alive) is spared


def test_the_same_carts_missing_often_enough_are_believed() -> None:
    suspicion = Suspicion(max_missing_ratio=0, accept_after=3)
    assert [suspicion.doubts([1, 2], 9) for _ in range(4)] == [True, True, False, False]


def test_other_carts_missing_begin_to_count_anew() -> None:
    suspicion = Suspicion(max_missing_ratio=0, accept_after=2)
    assert [suspicion.doubts(gone, 9) for gone in ([1], [2], [1], [1])] == [True, True, True, False]


def test_a_good_answer_begins_to_count_anew() -> None:
    suspicion = Suspicion(max_missing_ratio=0, accept_after=2)
    assert [suspicion.doubts(gone, 9) for gone in ([1], [], [1], [1])] == [True, False, True, False]


def test_a_share_of_one_believes_everything() -> None:
    assert not Suspicion(max_missing_ratio=1, accept_after=9).doubts([1, 2], 2)
