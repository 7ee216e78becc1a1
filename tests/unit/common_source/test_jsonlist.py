"""A JSON list that comes in pieces: the same records wherever it is cut, and one sentence when it is no list."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplatform.jsonlist import ListParser, RawRecord

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def read(pieces: list[str], max_element_chars: int = 1 << 20) -> list[RawRecord]:
    parser = ListParser(max_element_chars)
    found = [record for piece in pieces for record in parser.feed(piece)]
    return found + parser.close()


@st.composite
def cut(draw: st.DrawFn, text: str) -> list[str]:
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


@given(st.data(), st.lists(values, max_size=6), st.sampled_from([None, 1]), st.booleans())
def test_a_list_cut_anywhere_gives_its_elements(
    data: st.DataObject, wanted: list[Any], indent: int | None, tight: bool
) -> None:
    text = json.dumps(wanted, indent=indent, separators=(",", ":") if tight else None)
    found = read(data.draw(cut(text)))
    assert [record.value for record in found] == wanted
    assert [json.loads(record.text) for record in found] == wanted
    assert all(record.text in text for record in found)


@given(st.data(), st.lists(values, min_size=1, max_size=4))
def test_a_list_that_is_cut_off_is_never_taken_for_a_whole_one(data: st.DataObject, wanted: list[Any]) -> None:
    text = json.dumps(wanted)
    short = text[: data.draw(st.integers(0, len(text) - 1))]
    with pytest.raises(ValueError, match=r"cut off or malformed|empty"):
        read(data.draw(cut(short)))


def test_an_element_is_given_out_before_the_list_has_ended() -> None:
    parser = ListParser(100)
    assert [record.value for record in parser.feed('[{"id":1}, {"id":2}, {"i')] == [{"id": 1}, {"id": 2}]


def test_a_number_is_not_taken_before_its_end_was_seen() -> None:
    assert [record.value for record in read(["[1", "2", ",3", "]"])] == [12, 3]


@pytest.mark.parametrize(
    ("pieces", "sentence"),
    [
        ([""], "the body is empty"),
        ([" \n"], "the body is empty"),
        (["nu", "ll"], "the body is null"),
        (["{}"], r"does not begin with \["),
        (["nul"], r"does not begin with \["),
        (["[1] ", "[2]"], "something follows its end at character 4"),
        (["[1 ", "2]"], "malformed at character 3"),
        (["[1,", "]"], "malformed at character 3"),
        (["[NaN]"], "malformed at character 1"),
    ],
)
def test_text_that_is_no_list_is_an_error_that_says_where(pieces: list[str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read(pieces)


def test_an_element_beyond_the_bound_is_refused_whether_it_ends_or_not() -> None:
    assert read(['["12345678"]'], 10)[0].value == "12345678"
    with pytest.raises(ValueError, match="more than 10 characters"):
        read(['["123456789"]'], 10)
    with pytest.raises(ValueError, match="more than 10 characters"):
        read(['["123456789', "0"], 10)
