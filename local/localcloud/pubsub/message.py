"""A published message as the emulator keeps it: framed bytes and the few facts that delivery needs."""

from collections.abc import Iterable
from datetime import datetime

from google.protobuf import timestamp_pb2

from localcloud.pubsub import wire
from localcloud.pubsub.errors import invalid
from localcloud.pubsub.protos import Proto, PubsubMessage

MAX_MESSAGES = 1_000
MAX_REQUEST_BYTES = 10_000_000
MAX_ATTRIBUTES = 100
MAX_ATTRIBUTE_KEY_BYTES = 256
MAX_ATTRIBUTE_VALUE_BYTES = 1_024
MAX_ORDERING_KEY_BYTES = 1_024


class StoredMessage:
    """One message of one topic, shared by every subscription that has yet to acknowledge it.

    Attributes:
        framed: the message as field 2 of `ReceivedMessage`, ready to be joined into a response.
        size: bytes of the serialised message.
        sequence: position in the order of publishing, unique in the emulator.
        published: seconds since the epoch.
        ordering_key: empty when the message has none.
    """

    __slots__ = ("framed", "ordering_key", "published", "sequence", "size")

    def __init__(self, framed: bytes, size: int, sequence: int, published: float, ordering_key: str) -> None:
        self.framed = framed
        self.size = size
        self.sequence = sequence
        self.published = published
        self.ordering_key = ordering_key

    def proto(self) -> Proto:
        """Decode the message again."""
        return PubsubMessage.FromString(wire.unframe_message(self.framed))


def check_request(messages: Iterable[Proto], count: int, request_bytes: int) -> None:
    """Raise `INVALID_ARGUMENT` when a publish request breaks a limit of the service."""
    if not count:
        raise invalid(
            "The value for message_count is too small. You passed 0 in the request, but the minimum value is 1."
        )
    if count > MAX_MESSAGES:
        raise invalid(
            f"The value for message_count is too large. You passed {count} in the request, "
            f"but the maximum value is {MAX_MESSAGES}."
        )
    if request_bytes > MAX_REQUEST_BYTES:
        raise invalid(
            f"The value for request_size is too large. You passed {request_bytes} in the request, "
            f"but the maximum value is {MAX_REQUEST_BYTES}."
        )
    for message in messages:
        attributes = message.attributes
        if attributes:
            _check_attributes(attributes)
        elif not message.data:
            raise invalid(
                "One or more messages in the publish request is empty. Each message must have data or attributes."
            )
        if len(message.ordering_key) > MAX_ORDERING_KEY_BYTES // 4:
            _check_ordering_key(message.ordering_key)


def _check_attributes(attributes: Proto) -> None:
    if len(attributes) > MAX_ATTRIBUTES:
        raise invalid(f"A message has {len(attributes)} attributes, but the maximum is {MAX_ATTRIBUTES}.")
    for key, value in attributes.items():
        # A character takes at most 4 bytes, so that most texts need no encoding to be known as short.
        if len(key) > MAX_ATTRIBUTE_KEY_BYTES // 4 and len(key.encode()) > MAX_ATTRIBUTE_KEY_BYTES:
            raise invalid(f"An attribute key is larger than the maximum of {MAX_ATTRIBUTE_KEY_BYTES} bytes.")
        if len(value) > MAX_ATTRIBUTE_VALUE_BYTES // 4 and len(value.encode()) > MAX_ATTRIBUTE_VALUE_BYTES:
            raise invalid(
                f"The value of attribute {key!r} is larger than the maximum of {MAX_ATTRIBUTE_VALUE_BYTES} bytes."
            )
        if not key:
            raise invalid("An attribute key is empty.")
        if key.startswith("goog"):
            raise invalid(f"The attribute key {key!r} starts with 'goog', which the service keeps for itself.")


def _check_ordering_key(key: str) -> None:
    if len(key.encode()) > MAX_ORDERING_KEY_BYTES:
        raise invalid(f"An ordering key is larger than the maximum of {MAX_ORDERING_KEY_BYTES} bytes.")


def store(messages: Iterable[Proto], first_sequence: int, id_base: int, moment: datetime) -> list[StoredMessage]:
    """Turn a client's messages into stored ones, with ids counting up from `id_base + first_sequence`.

    What the client put into `message_id` and `publish_time` is dropped.
    """
    timestamp = timestamp_pb2.Timestamp()
    timestamp.FromDatetime(moment)
    published = moment.timestamp()
    publish_time = wire.publish_time_field(timestamp.SerializeToString())
    stored: list[StoredMessage] = []
    sequence = first_sequence
    for message in messages:
        if message.message_id or message.HasField("publish_time"):
            message.ClearField("message_id")
            message.ClearField("publish_time")
        body = wire.message_body(message.SerializeToString(), b"%d" % (id_base + sequence), publish_time)
        framed = wire.frame_message(body)
        stored.append(StoredMessage(framed, len(body), sequence, published, message.ordering_key))
        sequence += 1
    return stored
