"""Decoding: every message is either an event or has a reason."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carts_consumer.decode import REASONS, decode, microseconds, moment
from dataplatform.models import partition_range
from support.bad_input.generated import generated
from support.bad_input.oracle import judge
from support.events import NOW, event, received

_DAYS = partition_range(NOW)


def _reason(data: bytes | dict[str, Any]) -> str:
    decoded = decode([received(data)], _DAYS)
    return decoded.invalid[0].reason if decoded.invalid else "valid"


def test_a_valid_event_keeps_its_bytes() -> None:
    payload = json.dumps(event()).encode()
    decoded = decode([received(payload)], _DAYS)
    assert decoded.payloads == [payload]
    assert decoded.events[0]["cart_id"] == 1
    assert decoded.invalid == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"\xff\xfe", "not_json"),
        (b"[]", "wrong_type"),
        (b"null", "wrong_type"),
        (event(schema_version=2), "schema_version"),
        ({**event(), "cart_id": "1"}, "wrong_type"),
        (event(cart_id=2**63), "out_of_range"),
        (event(cart_id=-1), "out_of_range"),
        (event(version=0), "out_of_range"),
        (event(event_type="cart_eaten"), "wrong_value"),
        (event(event_id="no-uuid"), "wrong_value"),
        (event(observed_at="1970-01-01T00:00:00Z"), "observed_at_out_of_range"),
        (event(observed_at="2026-11-24T00:00:00"), "wrong_value"),
        (event(cart=None), "cart_mismatch"),
        (event(event_type="cart_deleted"), "cart_mismatch"),
        (event(cart_id=2, cart=event(1)["cart"]), "cart_mismatch"),
        ({k: v for k, v in event().items() if k != "source"}, "missing_field"),
        (json.dumps(event()).replace('"quantity": 4', '"quantity": NaN').encode(), "not_json"),
        (event(note=float("nan")), "not_json"),
        (event(note=[{"a": float("-inf")}]), "not_json"),
        (event(note="\ud800"), "not_json"),
        (b"\xef\xbb\xbf" + json.dumps(event()).encode(), "not_json"),
        (json.dumps(event()).encode() + b"x", "not_json"),
        (b"[" * 100_000, "not_json"),
        (event(schema_version="1"), "schema_version"),
        (event(schema_version=True), "schema_version"),
        (event(schema_version=1.0), "schema_version"),
        (event(observed_at="1764000000"), "wrong_value"),
        (event(observed_at="2026-11-23T23:59:60Z"), "wrong_value"),
        (event(event_id=event()["event_id"].upper()), "wrong_value"),
        ({**event(schema_version=2), "cart": {}}, "schema_version"),
        (event(observed_at="1970-01-01T00:00:00Z", cart=None), "observed_at_out_of_range"),
    ],
)
def test_what_is_wrong_is_told_by_its_reason(data: bytes | dict[str, Any], reason: str) -> None:
    assert _reason(data) == reason


@pytest.mark.parametrize(
    "kept",
    [
        event(note="NaN", Infinity=["-Infinity", {"NaN": 'say "NaN"'}]),
        event(note=10**300, payload={"a": [None, "\x00", "\u2028", "\U0001f600"]}),
        event(observed_at="2026-11-24t07:06:48.123456789+05:45"),
    ],
)
def test_what_only_looks_wrong_is_taken_as_it_is(kept: dict[str, Any]) -> None:
    payload = json.dumps(kept).encode()
    assert decode([received(payload)], _DAYS).payloads == [payload]


def test_the_last_of_duplicated_keys_counts() -> None:
    payload = b'{"cart_id": "x", ' + json.dumps(event()).encode()[1:]
    assert decode([received(payload)], _DAYS).events[0]["cart_id"] == 1


def test_a_payload_too_large_for_an_append_is_refused() -> None:
    assert _reason(event(note="x" * (6 << 20))) == "too_large"


def test_a_deleted_cart_has_no_cart() -> None:
    assert _reason(event(event_type="cart_deleted", cart=None)) == "valid"


def test_one_bad_message_leaves_the_others_alone() -> None:
    decoded = decode([received(event()), received(b"{"), received(event(version=2))], _DAYS)
    assert [e["version"] for e in decoded.events] == [1, 2]
    assert len(decoded.invalid) == 1


def test_no_reason_quotes_the_payload() -> None:
    decoded = decode([received({**event(), "cart_id": "s3cret-value"})], _DAYS)
    assert "s3cret-value" not in decoded.invalid[0].detail


@given(generated(NOW))
@settings(deadline=None)  # other programs share the machine
def test_generated_messages_are_judged_as_the_contract_says(data: bytes) -> None:
    assert _reason(data) in judge(data, _DAYS).reasons
    assert _reason(data) in REASONS | {"valid"}


@given(st.datetimes(timezones=st.just(NOW.tzinfo)))
def test_microseconds_are_exact(value: Any) -> None:
    assert moment(microseconds(value)) == value
