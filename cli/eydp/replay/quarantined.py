"""From a line of a quarantine object to its row of `bq_raw.quarantine`. Pure.

Three programs write such lines: the consumer (and `eydp dlq discard`) for messages, the batch loader for records, the
poller for carts, which have no row until a replay makes one.
"""

import base64
import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from carts_consumer.quarantine import MAX_ORIGINAL_BYTES
from dataplatform.clock import rfc3339
from dataplatform.envelope import Line

ENTITIES = ("carts_events", "products", "users")


def day_prefix(entity: str, day: date) -> str:
    """Return the folder of an entity's quarantine of one day."""
    return f"quarantine/{entity}/dt={day:%Y-%m-%d}/"


def day_of(name: str) -> date:
    """Return the day that a quarantine object is filed under."""
    return date.fromisoformat(name.split("/")[2].removeprefix("dt="))


def quarantine_row(line: Line, name: str, uri: str, created: datetime, shop: str) -> dict[str, Any]:
    """Return a line's row. The poller's lines have no time of their own: theirs is when the object was made.

    Raises:
        KeyError: the line is not one of quarantine.
    """
    fields = line.fields
    attributes = fields.get("attributes")
    return {
        "quarantine_id": fields["quarantine_id"],
        "entity": name.split("/")[1],
        "stage": fields["stage"],
        "reason": fields["reason"],
        "detail": fields.get("detail"),
        "source": fields.get("source") or (attributes or {}).get("source", shop),
        "message_id": fields.get("message_id"),
        "published_at": fields.get("publish_time"),
        "delivery_attempt": fields.get("delivery_attempt"),
        "attributes": attributes,
        "original": base64.b64encode(line.payload if len(line.payload) <= MAX_ORIGINAL_BYTES else b"").decode(),
        "quarantined_at": fields.get("quarantined_at") or rfc3339(_within(day_of(name), created)),
        "raw_uri": uri,
    }


def row_line(row: dict[str, Any]) -> bytes:
    """Return a row as a line of JSON, newline included."""
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def row_day(row: dict[str, Any]) -> date:
    """Return the day partition of a row."""
    return datetime.fromisoformat(row["quarantined_at"]).astimezone(UTC).date()


def _within(day: date, moment: datetime) -> datetime:
    """Return the moment, or the day's nearest one: an object may be written just after midnight."""
    first = datetime.combine(day, time(), UTC)
    return min(max(moment, first), first + timedelta(days=1) - timedelta(microseconds=1))
