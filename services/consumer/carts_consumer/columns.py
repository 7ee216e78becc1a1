"""Columns that the table has beyond the contract: filled from the payload's field of the same name. Pure.

When the shop sends a new field, somebody adds a nullable column of its name to `bq_raw.carts_events`, and from then
on new rows have it. The field is looked for in the event, then in its cart. A value that does not fit the column
stays null there; the payload has it in any case.
"""

import json
import re
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter, ValidationError

from carts_consumer.decode import microseconds
from carts_consumer.rows import RowType
from dataplatform.models import Int64, Timestamp
from dataplatform.schemas import Column, FieldType, Table

#: The Write API's names of types that one value can fill.
_TYPES: dict[str, FieldType] = {
    "STRING": "STRING",
    "INT64": "INT64",
    "DOUBLE": "FLOAT64",
    "NUMERIC": "NUMERIC",
    "BOOL": "BOOL",
    "TIMESTAMP": "TIMESTAMP",
    "DATE": "DATE",
    "JSON": "JSON",
}
#: Protobuf knows no other names.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MAX_NUMERIC = Decimal(10) ** 29

_INT: TypeAdapter[int] = TypeAdapter(Int64)
_TIMESTAMP: TypeAdapter[Any] = TypeAdapter(Timestamp)


def added(fields: Iterable[Any], contract: Table) -> tuple[Column, ...]:
    """Return the nullable columns of one value among a table's `TableFieldSchema`s that the contract does not have."""
    known = {column.name.lower() for column in contract.columns}
    return tuple(
        Column(field.name, _TYPES[field.type_.name], "Added to the table.")
        for field in fields
        if field.name.lower() not in known
        and field.type_.name in _TYPES
        and field.mode.name in {"NULLABLE", "MODE_UNSPECIFIED"}
        and _NAME.fullmatch(field.name)
    )


def fill(row_type: RowType, payload: bytes, unfit: Callable[[str], None]) -> bytes:
    """Return what a valid event's row gets behind it for the added columns; `unfit` is told of values left out."""
    event = json.loads(payload, parse_float=Decimal)
    cart = event["cart"] or {}
    values = {}
    for column in row_type.added:
        value = event.get(column.name, cart.get(column.name))
        if value is None:
            continue
        try:
            values[column.name] = _FITS[column.type](value)
        except (TypeError, ValueError, OverflowError):
            unfit(column.name)
    serialised: bytes = row_type.message(**values).SerializeToString()
    return serialised


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.encode().decode()  # half of a surrogate pair is valid JSON and no text
    raise TypeError("no text")


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError("no number")
    try:
        return _INT.validate_python(value, strict=True)
    except ValidationError as error:
        raise ValueError("no integer") from error


def _number(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise TypeError("no number")
    return Decimal(value)


def _numeric(value: Any) -> str:
    number = _number(value)
    if abs(number) >= _MAX_NUMERIC or number != round(number, 9):
        raise ValueError("not within NUMERIC")
    return f"{number:f}"


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise TypeError("no boolean")


def _timestamp(value: Any) -> int:
    try:
        return microseconds(_TIMESTAMP.validate_json(json.dumps(_text(value))))
    except ValidationError as error:
        raise ValueError("no time") from error


def _json(value: Any) -> str:
    return _text(json.dumps(value, default=float))


_FITS: dict[FieldType, Callable[[Any], Any]] = {
    "STRING": _text,
    "INT64": _integer,
    "FLOAT64": lambda value: float(_number(value)),
    "NUMERIC": _numeric,
    "BOOL": _boolean,
    "TIMESTAMP": _timestamp,
    "DATE": lambda value: date.fromisoformat(_text(value)).toordinal() - _EPOCH_DAY,
    "JSON": _json,
}
