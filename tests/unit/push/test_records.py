"""What of a body is taken and what is refused, why, and that whatever is taken can become an event."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from carts_poller.event import make
from carts_poller.push.problem import BadRecord
from carts_poller.push.records import MAX_CART_BYTES, BodyError, Record, document, ndjson
from carts_poller.pushed import Pushed, data

from .pushing import cart, text

NOW = datetime(2026, 11, 24, tzinfo=UTC)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
#: Carts of which something is odd.
_ODD = st.builds(
    lambda changes, more: cart(5) | more | changes,
    st.fixed_dictionaries(
        {},
        optional={
            "id": st.integers(-(2**64), 2**64) | _JSON,
            "userId": st.integers(-(2**64), 2**64) | _JSON,
            "date": st.sampled_from(["2020-01-01", "1764000000", "0001-01-01T00:00:00+14:00", "2020-01-01T00:00:00Z"]),
            "products": st.lists(_JSON, max_size=2),
            "deleted": _JSON,
        },
    ),
    st.dictionaries(st.text(max_size=5), _JSON, max_size=2),
)


def one(body: bytes) -> Record | BadRecord:
    (found,) = ndjson(body)
    return found


def refused(body: bytes) -> tuple[str, str]:
    found = one(body)
    assert isinstance(found, BadRecord), found
    return found.reason, found.detail


def test_each_line_is_a_record_and_blank_lines_are_none() -> None:
    body = b"\n" + text(1) + b"\r\n \t\n" + text(2) + b"\nnothing\n" + text(3)
    assert list(ndjson(body)) == [
        Record(1, text(1).decode()),
        Record(2, text(2).decode()),
        BadRecord(2, "not_json", "the record is no JSON"),
        Record(3, text(3).decode()),
    ]


def test_a_json_object_is_one_record_and_its_text_stays_as_it_was() -> None:
    body = b' {"id": 5,\n "userId":3,"date":"2020-03-01T00:00:00.000Z","products":[],"weight":1.50}\n'
    assert list(document(body)) == [Record(5, body.decode().strip())]


def test_a_json_list_holds_records_whose_texts_stay_as_they_were() -> None:
    spaced = json.dumps(cart(2), indent=1).encode()
    assert list(document(b"[ " + text(1) + b" ,\n" + spaced + b', {"id": 3, "deleted": true}, 4]')) == [
        Record(1, text(1).decode()),
        Record(2, spaced.decode()),
        Record(3, None),
        BadRecord(3, "not_an_object", "the record is no JSON object"),
    ]


def test_a_large_list_is_read_piece_by_piece() -> None:
    texts = [text(number, note="ü" * 50) for number in range(2000)]
    assert [found.cart_id for found in document(b"[" + b",".join(texts) + b"]") if isinstance(found, Record)] == list(
        range(2000)
    )


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"nothing", b"5", b'"x"', b"null", b"[", b"[1", b"[1,]", b"[] x", b"\xff", b"[NaN]", b"\xef\xbb\xbf{}"],
)
def test_a_body_that_is_no_json_object_or_list_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(BodyError):
        list(document(body))


def test_a_sentence_about_a_body_quotes_nothing_of_it() -> None:
    with pytest.raises(BodyError) as raised:
        list(document(b'[{"secret": 1} secret]'))
    assert "secret" not in str(raised.value)


def test_a_deletion_has_exactly_an_id_and_deleted() -> None:
    assert one(b'{"id": 5, "deleted": true}') == Record(5, None)
    assert one(b'{"deleted": true, "id": 5.0}') == Record(5, None)
    assert refused(b'{"id": 5, "deleted": true, "why": "sold"}')[0] == "wrong_value"
    assert refused(text(5, deleted=True))[0] == "wrong_value"
    assert refused(b'{"id": "secret", "deleted": true}')[0] == "no_id"
    assert refused(b'{"id": 5, "deleted": 1}')[0] == "missing_field"


def test_a_cart_that_says_it_is_not_deleted_is_a_cart() -> None:
    assert one(text(5, deleted=False)) == Record(5, text(5, deleted=False).decode())
    assert one(text(5, note='"deleted"')) == Record(5, text(5, note='"deleted"').decode())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "not_json"),
        (b"\xff", "not_json"),
        (text(5)[:-1] + b', "x": NaN}', "not_json"),
        (text(5)[:-1] + b', "x": "\\ud800"}', "not_json"),
        (text(5)[:-1] + b', "x": ' + b"[" * 202 + b"]" * 202 + b"}", "not_json"),
        (text(5)[:-1] + b', "x": ' + b"[" * 3000 + b"]" * 3000 + b"}", "not_json"),
        (b"[]", "not_an_object"),
        (b"7", "not_an_object"),
        (b"{}", "no_id"),
        (b'{"id": 5}', "missing_field"),
        (text("secret"), "no_id"),  # type: ignore[arg-type]  # as a client may err
        (text(-1), "no_id"),
        (text(2**63), "no_id"),
        (text(5, userId="secret"), "wrong_type"),
        (text(5, userId=-1), "out_of_range"),
        (text(5, date="secret"), "wrong_value"),
        (text(5, products=None), "wrong_type"),
        (text(5, products=[{"productId": 7}]), "missing_field"),
        (text(5, note="x" * MAX_CART_BYTES), "too_large"),
    ],
)
def test_a_bad_record_is_refused_with_the_pollers_reason_and_no_value_quoted(body: bytes, reason: str) -> None:
    found = refused(body)
    assert found[0] == reason
    assert "secret" not in found[1]
    assert found[1]


def _becomes_an_event(found: Record) -> None:
    if found.text is None:
        return
    carried = data(Pushed("shop", found.cart_id, found.text, 1, None)).decode()
    event = make(
        "cart_created", source="s" * 255, epoch=1, cart_id=found.cart_id, version=1, observed_at=NOW, cart=carried
    )
    assert json.loads(event.data)["cart"]["id"] == found.cart_id


@given(_ODD | _JSON)
@example(cart(5))
@example(cart(5) | {"x": float("inf")})
def test_whatever_is_taken_can_become_an_event(value: Any) -> None:
    body = json.dumps(value).encode()
    found = one(body)
    if isinstance(found, Record):
        _becomes_an_event(found)


@pytest.mark.parametrize("depth", range(190, 205))
def test_a_cart_is_taken_only_as_deep_as_an_event_can_hold_it(depth: int) -> None:
    body = text(5)[:-1] + b', "x": ' + b"[" * depth + b"]" * depth + b"}"
    found = one(body)
    if isinstance(found, Record):
        _becomes_an_event(found)
    else:
        with pytest.raises(ValidationError):
            make("cart_created", source="s", epoch=1, cart_id=5, version=1, observed_at=NOW, cart=body.decode())


@settings(max_examples=30)
@given(st.lists(_ODD, max_size=3))
def test_a_list_and_its_lines_are_judged_alike(values: list[Any]) -> None:
    texts = [json.dumps(value) for value in values]
    if any("NaN" in text or "Infinity" in text for text in texts):
        return  # in a list they spoil the whole body
    lines = list(ndjson("\n".join(texts).encode()))
    assert list(document(f"[{','.join(texts)}]".encode())) == lines
    assert [item.index for item in lines if isinstance(item, BadRecord)] == [
        index for index, item in enumerate(lines) if isinstance(item, BadRecord)
    ]


@given(st.binary(max_size=60))
def test_no_bytes_at_all_break_the_reading(body: bytes) -> None:
    for found in ndjson(body):
        assert isinstance(found, Record | BadRecord)
    try:
        for found in document(body):
            assert isinstance(found, Record | BadRecord)
    except BodyError:
        pass
