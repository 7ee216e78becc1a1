"""The archive: a batch's messages as one immutable object, the bytes received kept as they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from isal import igzip

from carts_consumer.decode import moment, stamp
from dataplatform import rawzone
from dataplatform.envelope import attributes_json, message_line
from dataplatform.models import SCHEMA_VERSION

#: isal's fastest level: a quarter of zlib's time for a few per cent more bytes.
_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Archive:
    """An object ready to be written."""

    name: str
    data: bytes
    metadata: dict[str, str]


def build(
    consumer: str, sequence: int, messages: Sequence[Any], payloads: Sequence[bytes], published: Sequence[int]
) -> Archive:
    """Return the object of at least one message.

    The sequences are parallel; `published` is in microseconds since 1970. The name follows from the content, so that
    writing the same batch again is a no-op.
    """
    stamps: dict[int, str] = {}
    lines = []
    for received, payload, published_at in zip(messages, payloads, published, strict=True):
        text = stamps.get(published_at)
        if text is None:  # messages of one publish request share their time
            text = stamps[published_at] = stamp(published_at)
        message = received.message
        attributes = attributes_json(message.attributes)
        lines.append(message_line(message.message_id, text, attributes, received.delivery_attempt, payload))
    first, last = min(published), max(published)
    text_bytes = b"".join(lines)
    return Archive(
        name=rawzone.events_object(consumer, moment(first), sequence, rawzone.digest(text_bytes)),
        data=igzip.compress(text_bytes, _LEVEL, mtime=0),
        metadata={
            "count": str(len(lines)),
            "first_publish_time": stamp(first),
            "last_publish_time": stamp(last),
            "schema_version": str(SCHEMA_VERSION),
        },
    )
