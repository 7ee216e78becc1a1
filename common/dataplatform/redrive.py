"""The mark of a message that was published again by hand. Pure.

Whoever publishes a quarantined record or a dead letter again adds three attributes. The consumer looks at them twice:
a marked message is looked up by event id before it is appended, as a redelivered one is, so that a copy is harmless;
and a marked message that is invalid again falls back on the quarantine entry that it came from.

The mark is not trusted further than that: an entry's id follows from the first message's id and the bytes, so a
message with other bytes and a borrowed mark is an entry of its own.
"""

import re
from collections.abc import Mapping

from dataplatform.rawzone import digest

#: What is published again: a quarantine id, or `dlq-` and the id of a dead letter.
MARK = "redrive_of"
#: Counts the redrives of one quarantine entry, from 1. A copy of a publish in doubt carries the same number.
ATTEMPT = "redrive_attempt"
#: Id of the message that first carried the bytes.
ORIGIN = "redrive_message_id"

#: Pub/Sub's limits of one message.
MAX_ATTRIBUTES = 100
MAX_MESSAGE_BYTES = 10_000_000

_DEAD_LETTER = "dlq-"
_PUBSUBS_OWN = "CloudPubSubDeadLetter"
#: More digits than a person redrives; what is longer was made by somebody else.
_COUNT = re.compile(r"[0-9]{1,6}")


def marked(attributes: Mapping[str, str], quarantine_id: str, attempt: int, origin: str) -> dict[str, str]:
    """Return the attributes with which a quarantine entry is published for the `attempt`-th time."""
    return {**attributes, MARK: quarantine_id, ATTEMPT: str(attempt), ORIGIN: origin}


def marked_dead_letter(attributes: Mapping[str, str], message_id: str) -> dict[str, str]:
    """Return the attributes with which a dead letter is published again: its own, without those of Pub/Sub.

    A dead letter that carries a mark keeps it: it is still a copy of what it was first.
    """
    own = {name: value for name, value in attributes.items() if not name.startswith(_PUBSUBS_OWN)}
    return own if MARK in own else {**own, MARK: f"{_DEAD_LETTER}{message_id}", ORIGIN: message_id}


def origin(attributes: Mapping[str, str], message_id: str) -> str:
    """Return the id of the message that first carried the bytes of this one."""
    return (attributes.get(ORIGIN) or message_id) if MARK in attributes else message_id


def attempt(attributes: Mapping[str, str]) -> int:
    """Return for which time a quarantine entry was published again; 0 when it was not."""
    text = attributes.get(ATTEMPT, "") if MARK in attributes else ""
    return int(text) if _COUNT.fullmatch(text) else 0


def quarantine_id(attributes: Mapping[str, str], message_id: str, data: bytes) -> str:
    """Return the id of a message's quarantine entry: the same for every copy of the same bytes."""
    return digest(origin(attributes, message_id).encode() + b"\0" + data)


def message_bytes(attributes: Mapping[str, str], data: bytes) -> int:
    """Return what a message weighs against `MAX_MESSAGE_BYTES`."""
    return len(data) + sum(len(name.encode()) + len(value.encode()) for name, value in attributes.items())


def publishable(attributes: Mapping[str, str], data: bytes) -> bool:
    """Return whether Pub/Sub takes a message; the mark may be what is too much."""
    # An empty message without attributes is refused too, but a marked one has attributes.
    return len(attributes) <= MAX_ATTRIBUTES and message_bytes(attributes, data) <= MAX_MESSAGE_BYTES
