"""What valid messages become: a row each, but for what only the flush knows, and a line each of the archive. Pure.

Both are made as soon as a chunk is decoded, while it is in the processor's cache. An event is ten Python objects and
more; dropped at once, it leaves bytes to wait for the flush.
"""

from dataclasses import dataclass, field
from typing import Any

from carts_consumer import rows
from carts_consumer.decode import Decoded, publish_microseconds, stamp
from dataplatform.envelope import message_line
from dataplatform.redrive import MARK


@dataclass(slots=True)
class Records:
    """Parallel lists, one place a valid message; `observed` and `published` are in microseconds since 1970.

    `suspects` are the places of messages that may have been appended before: those delivered or published again.
    """

    event_ids: list[str] = field(default_factory=list)
    observed: list[int] = field(default_factory=list)
    published: list[int] = field(default_factory=list)
    rows: list[bytes] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    messages: list[Any] = field(default_factory=list)
    suspects: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)

    def extend(self, others: "Records") -> None:
        """Put the records of another chunk behind these."""
        start = len(self)
        self.suspects += [start + place for place in others.suspects]
        for name in ("event_ids", "observed", "published", "rows", "lines", "messages"):
            mine: list[Any] = getattr(self, name)
            mine += getattr(others, name)


def records(decoded: Decoded, row_type: rows.RowType) -> Records:
    """Return the records of a chunk's valid messages."""
    made = Records(messages=decoded.messages, observed=decoded.observed)
    stamps: dict[int, str] = {}
    message_ids = []
    for place, (received, payload) in enumerate(zip(decoded.messages, decoded.payloads, strict=True)):
        message = received.message
        attributes, message_id, attempt = message.attributes, message.message_id, received.delivery_attempt
        published_at = publish_microseconds(message)
        text = stamps.get(published_at)
        if text is None:  # messages of one publish request share their time
            text = stamps[published_at] = stamp(published_at)
        if attempt > 1 or MARK in attributes:
            made.suspects.append(place)
        message_ids.append(message_id)
        made.published.append(published_at)
        made.lines.append(message_line(message_id, text, attributes, attempt, payload))
    made.event_ids = [event["event_id"] for event in decoded.events]
    made.rows = rows.encode_events(
        row_type, decoded.events, decoded.payloads, message_ids, made.observed, made.published
    )
    return made
