"""The contract of the shop's records: the real shapes pass, what BigQuery could not hold does not."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from dataplatform.models import (
    CART,
    CART_EVENT,
    PRODUCT,
    USER,
    event_id,
    partition_range,
    without_secrets,
)

PRODUCT_JSON = """{"id": 1, "title": "Fjallraven - Foldsack No. 1 Backpack, Fits 15 Laptops", "price": 109.95,
 "description": "A backpack. ", "category": "men's clothing", "image": "https://shop.example/1.png",
 "rating": {"rate": 3.9, "count": 120}}"""
USER_JSON = """{"address": {"geolocation": {"lat": "-37.3159", "long": "81.1496"}, "city": "kilcoole",
 "street": "new road", "number": 7682, "zipcode": "12926-3874"}, "id": 1, "email": "john@gmail.com",
 "username": "johnd", "name": {"firstname": "john", "lastname": "doe"}, "phone": "1-570-236-7033", "__v": 0}"""
CART_JSON = """{"id": 1, "userId": 1, "date": "2020-03-02T00:00:00.000Z",
 "products": [{"productId": 1, "quantity": 4}, {"productId": 2, "quantity": 1}], "__v": 0}"""
EVENT_JSON = f"""{{"event_id": "{event_id("fakestore", 1, 1, 1)}", "event_type": "cart_created", "schema_version": 1,
 "source": "fakestore", "epoch": 1, "cart_id": 1, "version": 1, "observed_at": "2026-11-24T06:00:00.000000Z",
 "cart": {CART_JSON}}}"""

RECORDS: dict[str, tuple[TypeAdapter[Any], str]] = {
    "product": (PRODUCT, PRODUCT_JSON),
    "user": (USER, USER_JSON),
    "cart": (CART, CART_JSON),
    "event": (CART_EVENT, EVENT_JSON),
}


def changed(text: str, path: str, value: Any) -> bytes:
    """The record with the value at a dotted path set, or removed when it is `...`."""
    record = json.loads(text)
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
    at = record
    for part in parents:
        at = at[part]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return json.dumps(record).encode()


def accepts(name: str, path: str, value: Any) -> bool:
    """Whether the record with the change is valid."""
    adapter, text = RECORDS[name]
    try:
        adapter.validate_json(changed(text, path, value))
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", RECORDS)
def test_the_real_shape_is_valid(name: str) -> None:
    adapter, text = RECORDS[name]
    adapter.validate_json(text)


@pytest.mark.parametrize("name", RECORDS)
@given(value=st.integers() | st.text(max_size=5) | st.none() | st.lists(st.integers(), max_size=2))
def test_an_unknown_field_breaks_nothing(name: str, value: Any) -> None:
    assert accepts(name, "brand_new", value)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("product", "rating"),
        ("product", "image"),
        ("product", "description"),
        ("user", "address"),
        ("user", "address.geolocation"),
        ("user", "name"),
        ("user", "email"),
        ("cart", "__v"),
    ],
)
@pytest.mark.parametrize("value", [..., None])
def test_a_field_that_comes_and_goes_may_be_missing_or_null(name: str, path: str, value: Any) -> None:
    assert accepts(name, path, value)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("product", "id"),
        ("product", "title"),
        ("product", "price"),
        ("product", "category"),
        ("user", "id"),
        ("cart", "id"),
        ("cart", "userId"),
        ("cart", "date"),
        ("cart", "products"),
        ("cart", "products.0.productId"),
        ("cart", "products.1.quantity"),
        *(
            ("event", field)
            for field in (
                "event_id",
                "event_type",
                "schema_version",
                "source",
                "epoch",
                "cart_id",
                "version",
                "observed_at",
            )
        ),
    ],
)
@pytest.mark.parametrize("value", [..., None])
def test_a_field_that_a_row_needs_may_not_be_missing_or_null(name: str, path: str, value: Any) -> None:
    assert not accepts(name, path, value)


def test_a_deleted_cart_is_null_but_not_missing() -> None:
    assert accepts("event", "cart", None)
    assert not accepts("event", "cart", ...)


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("product", "id", "1"),
        ("product", "id", 1.0),
        ("product", "id", True),
        ("product", "title", 7),
        ("product", "price", "12.50"),
        ("product", "price", True),
        ("product", "price", [1]),
        ("product", "rating", 4),
        ("product", "rating.rate", "3.9"),
        ("user", "email", 7),
        ("user", "address.number", "7682"),
        ("user", "address.geolocation.lat", -37.3),
        ("user", "name", "john doe"),
        ("cart", "userId", "1"),
        ("cart", "date", 1583107200),
        ("cart", "date", "yesterday"),
        ("cart", "date", "2020-03-02T00:00:00"),
        ("cart", "products", {}),
        ("cart", "products.0", 1),
        ("cart", "products.0.quantity", "4"),
        ("cart", "products.0.quantity", 4.5),
        ("event", "cart", []),
        ("event", "event_type", "cart_exploded"),
        ("event", "event_id", "1"),
        ("event", "event_id", event_id("s", 1, 1, 1).upper()),
        ("event", "event_id", event_id("s", 1, 1, 1) + "\n"),
        ("event", "schema_version", 2),
        ("event", "schema_version", "1"),
        ("event", "observed_at", "2026-11-24"),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, path: str, value: Any) -> None:
    assert not accepts(name, path, value)


@pytest.mark.parametrize(
    ("name", "path", "last_good", "first_bad"),
    [
        ("product", "id", 2**63 - 1, 2**63),
        ("product", "id", 0, -1),
        ("product", "price", 0, -0.01),
        ("product", "price", 10**28, 10**30),
        ("product", "price", 1e-9, 1e-10),
        ("product", "title", "x" * (1 << 16), "x" * ((1 << 16) + 1)),
        ("product", "rating.rate", 0, -0.1),
        ("user", "address.number", -(2**63), -(2**63) - 1),
        ("user", "address.number", 2**63 - 1, 2**63),
        ("cart", "products.0.quantity", 0, -1),
        ("cart", "products.0.quantity", 1_000_000_000, 1_000_000_001),
        (
            "cart",
            "products",
            [{"productId": 1, "quantity": 1}] * 10_000,
            [{"productId": 1, "quantity": 1}] * 10_001,
        ),
        ("cart", "date", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01"),
        ("cart", "date", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-00:01"),
        ("event", "version", 1, 0),
        ("event", "version", 2**63 - 1, 2**63),
        ("event", "epoch", 0, -1),
    ],
)
def test_a_bound_is_kept_exactly(name: str, path: str, last_good: Any, first_bad: Any) -> None:
    assert accepts(name, path, last_good)
    assert not accepts(name, path, first_bad)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e400", "1" + "0" * 5000])
@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("product", "109.95"),
        ("product", "3.9"),
        ("product", '"id": 1'),
        ("cart", '"quantity": 4'),
        ("cart", '"userId": 1'),
    ],
)
def test_a_number_that_is_none_or_too_large_is_refused(name: str, there: str, text: str) -> None:
    adapter, record = RECORDS[name]
    number = there.rsplit(" ", 1)[-1]
    with pytest.raises(ValidationError):
        adapter.validate_json(record.replace(there, there.replace(number, text), 1))


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"7", b'"x"', b"{", b"\xff\xfe", b"[" * 100_000])
@pytest.mark.parametrize("name", RECORDS)
def test_what_is_no_record_at_all_is_an_error_of_validation(name: str, data: bytes) -> None:
    with pytest.raises(ValidationError):
        RECORDS[name][0].validate_json(data)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_any_value_is_valid_or_an_error_of_validation(value: Any) -> None:
    for adapter, _ in RECORDS.values():
        with pytest.raises(ValidationError):
            adapter.validate_python(value)


@given(st.integers(0, 10**9))
def test_a_price_is_exact_to_the_cent(cents: int) -> None:
    price = Decimal(cents) / 100
    record = PRODUCT.validate_json(PRODUCT_JSON.replace("109.95", str(price)))
    assert record["price"] == price


def test_an_integer_price_and_a_decimal_one_are_the_same_price() -> None:
    one, other = (PRODUCT.validate_json(PRODUCT_JSON.replace("109.95", text)) for text in ("168", "168.00"))
    assert one["price"] == other["price"] == Decimal(168)


def test_the_same_change_has_the_same_id_and_other_changes_have_others() -> None:
    changes = [(s, e, c, v) for s in ("fakestore", "other") for e in (1, 2, 12) for c in (1, 11) for v in (1, 2, 11)]
    ids = [event_id(*change) for change in changes]
    assert len(set(ids)) == len(changes)
    assert ids == [event_id(*change) for change in changes]


def test_the_id_of_a_change_never_moves_between_releases() -> None:
    assert event_id("fakestore", 1764000000000, 1, 1) == "26664cdb-76cf-5c81-99d0-10707c6d3ea3"


def test_the_range_of_partitions_stays_within_what_bigquery_takes() -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    first, last = partition_range(now)
    assert now - timedelta(days=3650) < first < now - timedelta(days=3000)
    assert now + timedelta(days=30) < last < now + timedelta(days=365)


def test_a_user_is_left_without_password_and_otherwise_as_it_was() -> None:
    user = {**json.loads(USER_JSON), "password": "s3cret-pw-1", "Password_Hash": "s3cret-pw-2"}
    assert without_secrets(user) == json.loads(USER_JSON)
