"""Rows of the Write API: protobuf messages whose descriptor is made from `dataplatform.schemas`.

The message class is made at start-up, so that the table's definition stands in one place only.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from carts_consumer.decode import microseconds
from dataplatform.models import CartEvent
from dataplatform.schemas import Column, Table

_FIELD = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "STRING": _FIELD.TYPE_STRING,
    "JSON": _FIELD.TYPE_STRING,
    "NUMERIC": _FIELD.TYPE_STRING,
    "INT64": _FIELD.TYPE_INT64,
    "FLOAT64": _FIELD.TYPE_DOUBLE,
    "BOOL": _FIELD.TYPE_BOOL,
    "TIMESTAMP": _FIELD.TYPE_INT64,
    "DATE": _FIELD.TYPE_INT32,
}


class RowType:
    """The protobuf form of one table's rows, with columns `added` to the table since."""

    def __init__(self, table: Table, added: tuple[Column, ...] = ()) -> None:
        self.table = table
        self.added = added
        file = descriptor_pb2.FileDescriptorProto(name=f"{table.name}.proto", syntax="proto2")
        self.descriptor = file.message_type.add(name=table.name)
        _describe(self.descriptor, table.columns + added)  # behind, so that a row is the same in both forms
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)
        self.message: Any = message_factory.GetMessageClass(pool.FindMessageTypeByName(table.name))


def _describe(message: Any, columns: Iterable[Column]) -> None:
    for number, column in enumerate(columns, 1):
        repeated = column.mode == "REPEATED"
        field = message.field.add(
            name=column.name,
            number=number,
            label=_FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL,
        )
        if column.type == "STRUCT":
            nested = message.nested_type.add(name=f"{column.name}_item")
            _describe(nested, column.fields)
            field.type = _FIELD.TYPE_MESSAGE
            field.type_name = nested.name  # relative: BigQuery resolves it within the descriptor that is sent
        else:
            field.type = _TYPES[column.type]


def encode_events(
    row_type: RowType,
    events: Sequence[CartEvent],
    payloads: Sequence[bytes],
    message_ids: Sequence[str],
    observed: Sequence[int],
    published: Sequence[int],
) -> list[bytes]:
    """Return one serialised row for each event; the sequences are parallel, times in microseconds since 1970.

    Each becomes whole when `ending()` is put behind it: serialised protobuf messages merge by concatenation. For the
    same reason the lines of carts, many of which are alike, are serialised once.
    """
    make = row_type.message
    known: dict[tuple[int, int], bytes] = {}
    rows = []
    parallel = zip(events, payloads, message_ids, observed, published, strict=True)
    for event, payload, message_id, observed_at, published_at in parallel:
        row = make(
            event_id=event["event_id"],
            event_type=event["event_type"],
            schema_version=event["schema_version"],
            source=event["source"],
            epoch=event["epoch"],
            cart_id=event["cart_id"],
            version=event["version"],
            observed_at=observed_at,
            published_at=published_at,
            message_id=message_id,
            payload=payload,
        )
        lines = []
        items = 0
        cart = event["cart"]
        if cart is not None:
            row.user_id = cart["userId"]
            row.cart_date = microseconds(cart["date"])
            for product in cart["products"]:
                key = product["productId"], product["quantity"]
                items += key[1]
                line = known.get(key)
                if line is None:
                    line = known[key] = _line(make, *key)
                lines.append(line)
        row.total_items = items
        rows.append(row.SerializeToString() + b"".join(lines))
    return rows


def _line(make: Any, product_id: int, quantity: int) -> bytes:
    line: bytes = make(products=[{"product_id": product_id, "quantity": quantity}]).SerializeToString()
    return line


def ending(row_type: RowType, *, ingested_at: int, raw_uri: str) -> bytes:
    """Return what all rows of a flush end in: when they were taken in, and which object holds their lines."""
    fields: bytes = row_type.message(ingested_at=ingested_at, raw_uri=raw_uri).SerializeToString()
    return fields
