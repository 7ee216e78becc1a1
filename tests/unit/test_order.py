"""The recorded weights of test files, by which `make test` orders them."""

from pathlib import Path

import pytest

from support.order import SECONDS, seconds_of

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("file", SECONDS)
def test_a_weight_is_of_a_file_that_is_there(file: str) -> None:
    assert (ROOT / file).is_file()


def test_tests_are_run_by_the_weight_of_their_files(request: pytest.FixtureRequest) -> None:
    weights = [seconds_of(item.nodeid) for item in request.session.items]
    assert weights == sorted(weights, reverse=True)


def test_a_file_without_a_weight_comes_last() -> None:
    assert seconds_of("tests/unit/test_order.py::test_one[a::b]") == 0
    assert seconds_of("tests/e2e/test_shop_to_marts.py::test_one[a::b]") > 0
