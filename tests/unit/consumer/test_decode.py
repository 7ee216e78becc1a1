"""Decoding: every message is either an event or has a reason."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carts_consumer.decode import REASONS, decode, microseconds, moment
from dataplatform.models import partition_range
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
    ],
)
def test_what_is_wrong_is_told_by_its_reason(data: bytes | dict[str, Any], reason: str) -> None:
    assert _reason(data) in ({reason, "wrong_type"} if reason == "not_json" else {reason})


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


_GOOD = json.dumps(event()).encode()


@given(st.binary(max_size=200))
def test_any_bytes_are_judged(data: bytes) -> None:
    assert _reason(data) in REASONS


@given(st.integers(0, len(_GOOD) - 1), st.binary(max_size=4), st.integers(0, 6))
def test_a_spoilt_event_is_judged(place: int, inserted: bytes, removed: int) -> None:
    spoilt = _GOOD[:place] + inserted + _GOOD[place + removed :]
    assert _reason(spoilt) in REASONS | {"valid"}


@given(st.datetimes(timezones=st.just(NOW.tzinfo)))
def test_microseconds_are_exact(value: Any) -> None:
    assert moment(microseconds(value)) == value
