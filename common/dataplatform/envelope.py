r"""One line of the raw zone: a record in its envelope, the payload exactly as received.

A payload that is JSON without line breaks stands in `payload` byte for byte; any other (invalid JSON, not UTF-8,
pretty-printed) stands in `payload_base64`, so that one line always holds one record and nothing is changed.
"""

import base64
import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_QUOTE = json.encoder.encode_basestring_ascii


@dataclass(frozen=True, slots=True)
class Line:
    """A line read back: the envelope's fields and the payload's original bytes."""

    fields: Mapping[str, Any]
    payload: bytes


def message_line(
    message_id: str, publish_time: str, attributes: Mapping[str, str], delivery_attempt: int, payload: bytes
) -> bytes:
    """Return the line, newline included, of a Pub/Sub message whose payload was found to be valid JSON.

    `publish_time` is RFC 3339 in UTC. Joining costs two microseconds; encoding JSON anew would cost ten.
    """
    # Not items(): a protobuf map yields them through Python.
    pairs = ",".join([f"{_QUOTE(key)}:{_QUOTE(attributes[key])}" for key in attributes])
    head = (
        f'{{"message_id":{_QUOTE(message_id)},"publish_time":"{publish_time}",'
        f'"attributes":{{{pairs}}},"delivery_attempt":{delivery_attempt},'
    )
    return head.encode() + _payload(payload)


def record_line(fields: Mapping[str, Any], payload: bytes) -> bytes:
    """Return the line, newline included, of any record; `fields` must be JSON and `payload` valid JSON bytes."""
    head = json.dumps(dict(fields), separators=(",", ":"))[:-1]
    return (head + ("," if len(head) > 1 else "")).encode() + _payload(payload)


def opaque_line(fields: Mapping[str, Any], payload: bytes) -> bytes:
    """Return the line of a record whose payload may be anything at all."""
    return json.dumps({**fields, "payload_base64": base64.b64encode(payload).decode()}).encode() + b"\n"


def read_lines(text: bytes) -> Iterator[Line]:
    """Yield the lines of a raw zone object's text.

    Raises:
        ValueError: a line is not an envelope; the message names its number.
    """
    for number, line in enumerate(text.split(b"\n"), 1):
        if not line:
            continue
        try:
            yield _read(line)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"line {number} is not an envelope: {error}") from error


def _read(line: bytes) -> Line:
    fields = json.loads(line)
    if "payload_base64" in fields:
        return Line(fields, base64.b64decode(fields.pop("payload_base64"), validate=True))
    del fields["payload"]
    return Line(fields, line[_payload_start(line) : -1])


def _payload_start(line: bytes) -> int:
    """Return where the payload begins: after the first `"payload":` that closes nothing but the envelope.

    An attribute may be called payload too, but what stands before it is no whole object.
    """
    if line.startswith(b'{"payload":'):
        return len(b'{"payload":')
    key = b',"payload":'
    at = line.index(key)
    while True:
        with contextlib.suppress(ValueError):
            json.loads(line[:at] + b"}")
            return at + len(key)
        at = line.index(key, at + 1)


def _payload(payload: bytes) -> bytes:
    if b"\n" in payload or b"\r" in payload:
        return b'"payload_base64":"' + base64.b64encode(payload) + b'"}\n'
    return b'"payload":' + payload + b"}\n"
