"""Secrets are gone from every depth of a record, and nothing else is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_ingest.scrub import MAX_DEPTH, TooDeepError, scrubbed

PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
NAMES = st.sampled_from(["id", "name", "password", "Password", "old_passwords", "pass"])


def nested(leaves: st.SearchStrategy[Any], names: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=15
    )


@given(nested(PLAIN, NAMES))
def test_no_name_that_speaks_of_a_password_is_left_at_any_depth(value: Any) -> None:
    assert _names(scrubbed([value])) <= {"id", "name", "pass"}


@given(nested(PLAIN, st.sampled_from(["id", "name", "pass"])))
def test_a_value_without_secrets_stays_as_it_is(value: Any) -> None:
    assert scrubbed(value) == value


def test_what_came_is_not_changed() -> None:
    value = {"user": [{"password": "s3cret-pw-1", "id": 1}]}

    assert scrubbed(value) == {"user": [{"id": 1}]}
    assert value == {"user": [{"password": "s3cret-pw-1", "id": 1}]}


def test_a_value_at_the_deepest_level_is_searched_and_a_deeper_one_is_refused() -> None:
    value: Any = {"password": "s3cret-pw-1"}
    for _ in range(MAX_DEPTH):
        value = [value]

    assert "password" not in json.dumps(scrubbed(value))
    with pytest.raises(TooDeepError):
        scrubbed([value])


def _names(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_names, value.values()))
    return set[str]().union(*map(_names, value)) if isinstance(value, list) else set()
