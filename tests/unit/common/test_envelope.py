"""What goes into an envelope comes out of it byte for byte, one record a line."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplatform.envelope import Line, message_line, opaque_line, read_lines, record_line

KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.just("payload")
ATTRIBUTES = st.dictionaries(KEYS, st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
JSON = st.builds(
    lambda value, indent, ascii_only: json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode(
        errors="surrogatepass"
    ),
    VALUES,
    st.sampled_from([None, 0, 2]),
    st.booleans(),
).filter(lambda data: b"\xed" not in data)
FIELDS = st.dictionaries(KEYS.filter(lambda key: key not in {"payload", "payload_base64"}), VALUES, max_size=4)


def only(text: bytes) -> Line:
    """The one line of a text; its end is its only line break."""
    assert text.endswith(b"\n")
    assert text.count(b"\n") == 1
    assert b"\r" not in text
    [line] = read_lines(text)
    return line


@given(ATTRIBUTES, JSON, st.integers(0, 100))
def test_a_message_comes_back_as_it_was(attributes: dict[str, str], payload: bytes, attempt: int) -> None:
    line = only(message_line("17", "2026-11-24T06:00:00.000000Z", attributes, attempt, payload))
    assert line.payload == payload
    assert line.fields == {
        "message_id": "17",
        "publish_time": "2026-11-24T06:00:00.000000Z",
        "attributes": attributes,
        "delivery_attempt": attempt,
    }


@given(FIELDS, JSON)
def test_a_record_comes_back_as_it_was(fields: dict[str, Any], payload: bytes) -> None:
    line = only(record_line(fields, payload))
    assert (line.fields, line.payload) == (fields, payload)


@given(FIELDS, st.binary(max_size=200))
def test_any_bytes_come_back_as_they_were(fields: dict[str, Any], payload: bytes) -> None:
    line = only(opaque_line(fields, payload))
    assert (line.fields, line.payload) == (fields, payload)


@given(st.lists(st.tuples(FIELDS, JSON, st.booleans()), max_size=5))
def test_a_text_holds_as_many_lines_as_records(records: list[tuple[dict[str, Any], bytes, bool]]) -> None:
    text = b"".join((opaque_line if opaque else record_line)(fields, payload) for fields, payload, opaque in records)
    assert [line.payload for line in read_lines(text)] == [payload for _, payload, _ in records]


@given(ATTRIBUTES)
def test_attributes_are_the_json_that_an_encoder_would_write(attributes: dict[str, str]) -> None:
    text = json.dumps(attributes, separators=(",", ":")).encode()
    assert b',"attributes":' + text + b',"delivery_attempt":1,' in message_line("1", "t", attributes, 1, b"{}")


def test_a_payload_without_line_breaks_stands_in_the_line_byte_for_byte() -> None:
    payload = '{"id": 1,  "titel":"Käse", "price":7.0e1}'.encode()
    assert record_line({"a": 1}, payload) == b'{"a":1,"payload":' + payload + b"}\n"


def test_an_attribute_called_payload_is_not_taken_for_the_payload() -> None:
    line = only(message_line("1", "t", {"a": "1", "payload": "false"}, 1, b'{"b":1,"payload":2}'))
    assert line.payload == b'{"b":1,"payload":2}'
    assert line.fields["attributes"] == {"a": "1", "payload": "false"}


@pytest.mark.parametrize(
    "text",
    [
        b"not json\n",
        b"[1]\n",
        b'"payload"\n',
        b"7\n",
        b'{"a":1}\n',
        b'{"a":1,"payload":{"b":\n',
        b'{"payload_base64":"%%%"}\n',
        b'{"payload_base64":7}\n',
        b'{"a":1, "payload":2}\n',
        b'\xff{"payload":1}\n',
    ],
)
def test_what_is_no_envelope_is_refused_with_its_line_number(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"^line 2 is not an envelope"):
        list(read_lines(record_line({}, b"1") + text))
