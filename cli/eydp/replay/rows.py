"""From a row as the consumer makes it to a line that a load job takes. Pure.

The row is made by the consumer's own code, protobuf and all, so that a replayed row can't differ from an appended one.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import batched
from types import SimpleNamespace
from typing import Any

from google.pubsub_v1 import types

from carts_consumer import columns, rows
from carts_consumer.decode import decode, microseconds, moment, stamp
from carts_consumer.records import records
from dataplatform.envelope import Line
from dataplatform.models import partition_range
from dataplatform.schemas import CART_EVENTS, Column

_AT_ONCE = 500
_EXACT_IN_A_DOUBLE = 2**53
_EPOCH_DAY = date(1970, 1, 1)
#: The rows of a run share `ingested_at`, those of one publish request their time.
_stamp = lru_cache(maxsize=1_024)(stamp)
#: The REST API's names of types, as the Write API calls them.
_WRITE_API_NAMES = {"INTEGER": "INT64", "FLOAT": "DOUBLE", "FLOAT64": "DOUBLE", "BOOLEAN": "BOOL"}


@dataclass(slots=True)
class Made:
    """Lines for a load job, the days of `observed_at` they belong to, and how many lines of the raw zone are no row.

    `invalid` ones break the contract of this version; `refused` ones are in quarantine, as BigQuery refused them.
    """

    lines: list[bytes] = field(default_factory=list)
    days: set[date] = field(default_factory=set)
    invalid: int = 0
    refused: int = 0


class EventRows:
    """Makes rows of `bq_raw.carts_events`, with the columns that the table has beyond the contract."""

    def __init__(self, live_schema: Iterable[dict[str, Any]], refused: frozenset[str]) -> None:
        """`live_schema` is the table's in the REST API's form; `refused` are ids of messages BigQuery refused."""
        fields = [
            SimpleNamespace(
                name=each["name"],
                type_=SimpleNamespace(name=_WRITE_API_NAMES.get(each["type"], each["type"])),
                mode=SimpleNamespace(name=each.get("mode") or "NULLABLE"),
            )
            for each in live_schema
        ]
        self._row_type = rows.RowType(CART_EVENTS, columns.added(fields, CART_EVENTS))
        self._refused = refused

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return the columns of the lines that are made."""
        return CART_EVENTS.columns + self._row_type.added

    def of(self, lines: Iterable[Line], uri: str, now: datetime) -> Iterator[Made]:
        """Yield what the lines of an object are, some hundred at a time; `now` becomes the rows' `ingested_at`."""
        for some in batched(lines, _AT_ONCE, strict=False):
            yield self._made(some, uri, now)

    def _made(self, lines: Sequence[Line], uri: str, now: datetime) -> Made:
        wanted = [line for line in lines if line.fields["message_id"] not in self._refused]
        decoded = decode([_received(line) for line in wanted], partition_range(now))
        made = Made(invalid=len(decoded.invalid), refused=len(lines) - len(wanted))
        found = records(decoded, self._row_type)
        end = rows.ending(self._row_type, ingested_at=microseconds(now), raw_uri=uri)
        for place, start in enumerate(found.rows):
            payload = found.messages[place].message.data
            more = columns.fill(self._row_type, payload, _unfit) if self._row_type.added else b""
            made.lines.append(load_line(self.columns, self._row_type.message.FromString(start + end + more)))
            made.days.add(moment(found.observed[place]).date())
        return made


def load_line(given: Iterable[Column], row: Any) -> bytes:
    """Return a protobuf row as a line of JSON, newline included. JSON columns keep their text."""
    values: dict[str, Any] = {}
    texts: list[bytes] = []
    for column in given:
        if column.mode == "REPEATED":
            items = getattr(row, column.name)
            values[column.name] = [
                {inner.name: _value(inner, getattr(item, inner.name)) for inner in column.fields} for item in items
            ]
        elif not row.HasField(column.name):
            continue
        elif column.type == "JSON":
            # Line breaks in JSON stand between its parts, never within text.
            text = getattr(row, column.name).encode().replace(b"\n", b" ").replace(b"\r", b" ")
            texts.append(json.dumps(column.name).encode() + b":" + text)
        else:
            values[column.name] = _value(column, getattr(row, column.name))
    head = json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()
    return head[:-1] + b"".join([b"," + text for text in texts]) + b"}\n"


def _value(column: Column, value: Any) -> Any:
    match column.type:
        case "TIMESTAMP":
            return _stamp(value)
        case "DATE":
            return (_EPOCH_DAY + timedelta(days=value)).isoformat()
        case "INT64":
            return value if abs(value) < _EXACT_IN_A_DOUBLE else str(value)
        case _:
            return value


def _received(line: Line) -> Any:
    """Return the message that a line was made of, as a consumer received it."""
    received = types.ReceivedMessage.pb()(delivery_attempt=line.fields["delivery_attempt"])
    message = received.message
    message.data = line.payload
    message.message_id = line.fields["message_id"]
    for name, value in line.fields["attributes"].items():
        message.attributes[name] = value
    # Protobuf's own parser of times takes four times as long.
    seconds, rest = divmod(microseconds(datetime.fromisoformat(line.fields["publish_time"])), 1_000_000)
    message.publish_time.seconds, message.publish_time.nanos = seconds, rest * 1_000
    return received


def _unfit(column: str) -> None:
    """Leave the column empty, as the consumer does; the payload has the value."""
