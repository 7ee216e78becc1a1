"""The language of filters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.pubsub.errors import Code, PubsubError
from localcloud.pubsub.filters import compile_filter

COM = {"name": "com", "lang": "en"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("attributes:name", True),
        ("attributes:missing", False),
        ('attributes:"name"', True),
        ('attributes.name = "com"', True),
        ('attributes.name="com"', True),
        ('attributes.name = "COM"', False),
        ('attributes.name != "com"', False),
        ('attributes.name != "org"', True),
        ('attributes.missing != "org"', True),
        ('attributes.missing = ""', False),
        ('hasPrefix(attributes.name, "co")', True),
        ('hasPrefix(attributes.name, "om")', False),
        ('hasPrefix(attributes.missing, "")', False),
        ("NOT attributes:name", False),
        ("-attributes:missing", True),
        ("NOT NOT attributes:name", True),
        ("attributes:name AND attributes:lang", True),
        ("attributes:name AND attributes:missing", False),
        ("attributes:missing OR attributes:lang", True),
        ("attributes:missing OR attributes:gone OR attributes:lang", True),
        ("NOT attributes:missing AND attributes:lang", True),
        ("NOT (attributes:missing AND attributes:lang)", True),
        ("attributes:missing AND (attributes:name OR attributes:lang)", False),
        ("  ( attributes:name )  ", True),
    ],
)
def test_a_filter_means_what_the_service_says(source: str, expected: bool) -> None:
    assert compile_filter(source)(COM) is expected


@pytest.mark.parametrize(
    ("source", "position"),
    [
        ("attributes.name =", 17),
        ('attributes.name == "com"', 17),
        ("attributes", 10),
        ("name:com", 0),
        ("attributes:name attributes:lang", 16),
        ("attributes:name AND", 19),
        ("attributes:a AND attributes:b OR attributes:c", 30),
        ("(attributes:name", 16),
        ("hasPrefix(attributes.name)", 25),
        ('attributes.name = "com', 18),
        ("attributes.name = com", 18),
        ("attributes:name and attributes:lang", 16),
        ("attributes:1", 11),
        ("&", 0),
    ],
)
def test_a_wrong_filter_is_refused_at_its_position(source: str, position: int) -> None:
    with pytest.raises(PubsubError, match=f"at position {position}\\.") as refused:
        compile_filter(source)
    assert refused.value.code is Code.INVALID_ARGUMENT


def test_a_filter_has_256_bytes_at_most() -> None:
    longest = 'attributes.name = "' + "y" * (256 - 20) + '"'
    assert len(longest) == 256
    assert not compile_filter(longest)(COM)
    with pytest.raises(PubsubError, match="too long"):
        compile_filter(longest.replace("y", "yy", 1))


@given(st.text(st.characters(codec="utf-8"), max_size=20), st.text(st.characters(codec="utf-8"), max_size=20))
def test_any_key_and_value_can_be_quoted(key: str, value: str) -> None:
    def quote(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    accepts = compile_filter(f"attributes.{quote(key)} = {quote(value)}")
    assert accepts({key: value})
    assert not accepts({key: value + "x"})


@given(st.text(max_size=40))
def test_any_text_is_a_filter_or_is_refused(source: str) -> None:
    try:
        compile_filter(source)
    except PubsubError as error:
        assert error.code is Code.INVALID_ARGUMENT  # noqa: PT017 - being refused is one of two right outcomes
