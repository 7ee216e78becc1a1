"""Columns that were added to the table are filled from the payload, or left null."""

import json
from typing import Any

import pytest
from google.cloud.bigquery_storage_v1 import types

from carts_consumer.columns import added, fill
from carts_consumer.decode import decode
from carts_consumer.records import records
from carts_consumer.rows import RowType
from dataplatform.models import partition_range
from dataplatform.schemas import CART_EVENTS, Column
from support.events import NOW, event, received

_KIND = types.TableFieldSchema.Type
_MODE = types.TableFieldSchema.Mode


def _field(name: str, kind: str = "STRING", mode: str = "NULLABLE") -> Any:
    return types.TableFieldSchema(name=name, type_=_KIND[kind], mode=_MODE[mode])


def test_only_nullable_columns_of_one_value_and_a_plain_name_are_added() -> None:
    fields = [
        _field("event_id"),
        _field("EVENT_TYPE"),
        _field("coupon"),
        _field("weight", "DOUBLE"),
        _field("tags", "STRING", "REPEATED"),
        _field("must", "STRING", "REQUIRED"),
        _field("place", "GEOGRAPHY"),
        _field("deep", "STRUCT"),
        _field("größe"),
    ]
    assert [(c.name, c.type) for c in added(fields, CART_EVENTS)] == [("coupon", "STRING"), ("weight", "FLOAT64")]


def _filled(kind: Any, value: Any, *, in_cart: bool = False) -> tuple[Any, list[str]]:
    """Return what column `extra` holds for an event with that value, and which columns' values were left out."""
    row_type = RowType(CART_EVENTS, (Column("extra", kind, ""),))
    body = event()
    (body["cart"] if in_cart else body)["extra"] = value
    unfit: list[str] = []
    row = row_type.message.FromString(fill(row_type, json.dumps(body).encode(), unfit.append))
    return (row.extra if row.HasField("extra") else None), unfit


@pytest.mark.parametrize(
    ("kind", "value", "held"),
    [
        ("STRING", "ten off", "ten off"),
        ("INT64", -(2**63), -(2**63)),
        ("FLOAT64", 1, 1.0),
        ("FLOAT64", 0.1, 0.1),
        ("NUMERIC", 12.3, "12.3"),
        ("NUMERIC", 1e-9, "0.000000001"),
        ("BOOL", False, False),
        ("TIMESTAMP", "1970-01-01T00:00:01Z", 1_000_000),
        ("DATE", "1970-01-03", 2),
        ("JSON", {"a": [1, None]}, '{"a": [1, null]}'),
        ("JSON", 0, "0"),
    ],
)
def test_a_value_that_fits_is_filled_in(kind: Any, value: Any, held: Any) -> None:
    assert _filled(kind, value) == (held, [])
    assert _filled(kind, value, in_cart=True) == (held, [])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("STRING", 1),
        ("STRING", "\ud800"),
        ("INT64", 2**63),
        ("INT64", True),
        ("INT64", "1"),
        ("INT64", 1.0),
        ("FLOAT64", "1"),
        ("NUMERIC", 1e30),
        ("NUMERIC", 1e-10),
        ("BOOL", 1),
        ("TIMESTAMP", "yesterday"),
        ("TIMESTAMP", 5),
        ("DATE", "2026-02-30"),
        ("DATE", 5),
    ],
)
def test_a_value_that_does_not_fit_is_left_null_and_told(kind: Any, value: Any) -> None:
    assert _filled(kind, value) == (None, ["extra"])


@pytest.mark.parametrize("kind", ["STRING", "INT64", "JSON"])
def test_a_null_or_missing_field_is_null_and_nothing_to_tell(kind: Any) -> None:
    assert _filled(kind, None) == (None, [])


def test_a_deleted_cart_has_no_fields_to_fill_in() -> None:
    row_type = RowType(CART_EVENTS, (Column("extra", "STRING", ""),))
    payload = json.dumps(event(event_type="cart_deleted", cart=None)).encode()
    assert fill(row_type, payload, pytest.fail) == b""


def test_a_row_of_the_contract_means_the_same_with_added_columns() -> None:
    plain, wide = RowType(CART_EVENTS), RowType(CART_EVENTS, (Column("coupon", "STRING", ""),))
    body = event(coupon="ten off")
    made = records(decode([received(body)], partition_range(NOW)), plain)
    row = wide.message.FromString(made.rows[0] + fill(wide, json.dumps(body).encode(), pytest.fail))
    assert (row.cart_id, row.user_id, row.coupon) == (1, 3, "ten off")
    assert [(line.product_id, line.quantity) for line in row.products] == [(1, 4), (2, 1)]
