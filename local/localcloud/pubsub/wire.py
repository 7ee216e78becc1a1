"""Protobuf framing by hand, so that a message is serialised once and delivered by joining bytes.

`ReceivedMessage` is `ack_id = 1; message = 2; delivery_attempt = 3`, and it is field 1 of both `PullResponse`
and `StreamingPullResponse`. The functions here write exactly what protobuf itself would write for them.
"""

_MESSAGE_ID_TAG = b"\x1a"  # PubsubMessage.message_id = 3, length-delimited
_PUBLISH_TIME_TAG = b"\x22"  # PubsubMessage.publish_time = 4, length-delimited
_MESSAGE_TAG = b"\x12"  # ReceivedMessage.message = 2, length-delimited
_RECEIVED_TAG = b"\x0a"  # received_messages = 1, length-delimited
_ACK_ID_TAG = b"\x0a"  # ReceivedMessage.ack_id = 1, length-delimited
_ATTEMPT_TAG = b"\x18"  # ReceivedMessage.delivery_attempt = 3, varint


def encode_varint(number: int) -> bytes:
    """Encode a non-negative number in protobuf's base-128 form."""
    out = bytearray()
    while number >= 0x80:
        out.append((number & 0x7F) | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_SMALL = [encode_varint(number) for number in range(1 << 14)]


def varint(number: int) -> bytes:
    """Encode a non-negative number; those under 16,384 come from a table."""
    return _SMALL[number] if number < 16384 else encode_varint(number)


def publish_time_field(timestamp: bytes) -> bytes:
    """Frame a serialised `Timestamp` as the field `publish_time` of a message."""
    return _PUBLISH_TIME_TAG + varint(len(timestamp)) + timestamp


def message_body(client_part: bytes, message_id: bytes, publish_time: bytes) -> bytes:
    """Join what the client sent with the id and the (framed) time that the service adds.

    `client_part` must hold neither of the two fields.
    """
    return b"".join((client_part, _MESSAGE_ID_TAG, varint(len(message_id)), message_id, publish_time))


def frame_message(body: bytes) -> bytes:
    """Frame a serialised `PubsubMessage` as the field `message` of a `ReceivedMessage`."""
    return b"".join((_MESSAGE_TAG, varint(len(body)), body))


def unframe_message(framed: bytes) -> bytes:
    """Return the serialised `PubsubMessage` inside `frame_message`'s result."""
    start = 1
    while framed[start] & 0x80:
        start += 1
    return framed[start + 1 :]


def received(ack_id: bytes, framed: bytes, attempt: int = 0) -> bytes:
    """Frame one delivery as field 1 of a response; an `attempt` of 0 is left out, as protobuf does."""
    id_length = varint(len(ack_id))
    suffix = _ATTEMPT_TAG + varint(attempt) if attempt else b""
    length = 1 + len(id_length) + len(ack_id) + len(framed) + len(suffix)
    return b"".join((_RECEIVED_TAG, varint(length), _ACK_ID_TAG, id_length, ack_id, framed, suffix))
