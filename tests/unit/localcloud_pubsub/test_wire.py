"""Framing by hand writes exactly what protobuf would."""

from google.protobuf import timestamp_pb2
from hypothesis import given
from hypothesis import strategies as st

from localcloud.pubsub import wire
from localcloud.pubsub.protos import PubsubMessage, PullResponse, StreamingPullResponse

texts = st.text(st.characters(codec="utf-8"), max_size=300)
# One attribute at most: the order of several in a map is protobuf's own to choose.
attributes = st.dictionaries(texts, texts, max_size=1)


@given(st.integers(0, 2**63 - 1))
def test_a_varint_is_that_of_protobuf(number: int) -> None:
    timestamp = timestamp_pb2.Timestamp(seconds=number)
    expected = b"\x08" + wire.varint(number) if number else b""
    assert timestamp.SerializeToString() == expected


@given(
    data=st.binary(max_size=300),
    attributes=attributes,
    ordering_key=texts,
    message_id=st.integers(1, 2**62),
    seconds=st.integers(1, 2**40),
    nanos=st.integers(0, 999_999_999),
    ack_id=st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1, max_size=300),
    attempt=st.integers(0, 1_000),
)
def test_a_delivery_is_the_response_that_protobuf_would_serialise(
    data: bytes,
    attributes: dict[str, str],
    ordering_key: str,
    message_id: int,
    seconds: int,
    nanos: int,
    ack_id: str,
    attempt: int,
) -> None:
    published = timestamp_pb2.Timestamp(seconds=seconds, nanos=nanos)
    client_part = PubsubMessage(data=data, attributes=attributes).SerializeToString()
    body = wire.message_body(
        client_part, str(message_id).encode(), wire.publish_time_field(published.SerializeToString())
    )
    framed = wire.received(ack_id.encode(), wire.frame_message(body), attempt)

    expected = PullResponse()
    item = expected.received_messages.add(ack_id=ack_id, delivery_attempt=attempt)
    item.message.data = data
    item.message.attributes.update(attributes)
    item.message.message_id = str(message_id)
    item.message.publish_time.CopyFrom(published)
    assert framed == expected.SerializeToString()

    # The ordering key, field 5, stands before the fields that the service adds: another order, the same message.
    with_key = PubsubMessage(data=data, attributes=attributes, ordering_key=ordering_key).SerializeToString()
    keyed = wire.message_body(with_key, b"1", wire.publish_time_field(published.SerializeToString()))
    assert PubsubMessage.FromString(keyed).ordering_key == ordering_key
    assert PubsubMessage.FromString(keyed).message_id == "1"


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=300), st.integers(0, 9)), max_size=20))
def test_joined_deliveries_are_one_response(items: list[tuple[bytes, int]]) -> None:
    frames = [PubsubMessage(data=data).SerializeToString() for data, _ in items]
    payload = b"".join(
        wire.received(b"id", wire.frame_message(frame), attempt)
        for frame, (_, attempt) in zip(frames, items, strict=True)
    )
    for response in (PullResponse, StreamingPullResponse):
        decoded = response.FromString(payload).received_messages
        assert [(item.message.data, item.delivery_attempt) for item in decoded] == items


@given(st.binary(max_size=40_000))
def test_unframing_undoes_framing(body: bytes) -> None:
    assert wire.unframe_message(wire.frame_message(body)) == body
