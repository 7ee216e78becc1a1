"""Publishing: what a message carries, and the limits of a request."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core.exceptions import InvalidArgument


def test_a_message_arrives_with_everything_it_was_published_with(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    before = datetime.now(UTC) - timedelta(seconds=1)
    [message_id] = cloud.publish(topic, b"\x00\xff data", attributes={"k": "v", "ü": "ö"}, ordering_key="key")
    [received] = cloud.pull(subscription)
    assert received.message.data == b"\x00\xff data"
    assert dict(received.message.attributes) == {"k": "v", "ü": "ö"}
    assert received.message.ordering_key == "key"
    assert received.message.message_id == message_id
    assert before <= received.message.publish_time <= datetime.now(UTC) + timedelta(seconds=1)
    assert received.delivery_attempt == 0


def test_each_message_gets_an_id_of_its_own_in_the_order_of_the_request(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    ids = cloud.publish(topic, *(b"%d" % number for number in range(50)))
    assert len(set(ids)) == 50
    received = {message.message.message_id: message.message.data for message in cloud.pull(subscription, 50)}
    assert [received[message_id] for message_id in ids] == [b"%d" % number for number in range(50)]


def test_every_subscription_gets_every_message(cloud: Any) -> None:
    topic = cloud.topic()
    subscriptions = [cloud.subscription(topic) for _ in range(3)]
    cloud.publish(topic, b"a", b"b")
    for subscription in subscriptions:
        assert {message.message.data for message in cloud.pull(subscription, 2)} == {b"a", b"b"}


def test_a_subscription_gets_only_what_is_published_after_it(cloud: Any) -> None:
    topic = cloud.topic()
    cloud.publish(topic, b"before")
    subscription = cloud.subscription(topic)
    cloud.publish(topic, b"after")
    assert [message.message.data for message in cloud.pull(subscription)] == [b"after"]
    assert cloud.nothing_to_pull(subscription)


def test_attributes_alone_are_enough(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"", attributes={"k": "v"})
    assert dict(cloud.pull(subscription)[0].message.attributes) == {"k": "v"}


def test_the_ids_and_times_that_a_client_sends_are_not_kept(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    forged = {"message_id": "forged", "publish_time": {"seconds": 5, "nanos": 7}}
    [message_id] = cloud.publish(topic, b"x", **forged)
    [received] = cloud.pull(subscription)
    assert received.message.message_id == message_id != "forged"
    assert received.message.publish_time.timestamp() > 1_000_000_000


def test_an_empty_request_is_refused(cloud: Any) -> None:
    with pytest.raises(InvalidArgument):
        cloud.publish(cloud.topic())


@pytest.mark.parametrize("fields", [{}, {"ordering_key": "k"}])
def test_an_empty_message_is_refused_with_its_whole_request(cloud: Any, fields: dict[str, str]) -> None:
    topic, subscription = cloud.pair()
    with pytest.raises(InvalidArgument, match="empty"):
        cloud.publisher.publish(topic=topic, messages=[{"data": b"x"}, fields])
    assert cloud.nothing_to_pull(subscription)


def test_a_request_takes_a_thousand_messages_and_no_more(cloud: Any) -> None:
    topic = cloud.topic()
    assert len(cloud.publish(topic, *([b"x"] * 1_000))) == 1_000
    with pytest.raises(InvalidArgument):
        cloud.publish(topic, *([b"x"] * 1_001))


@pytest.mark.embedded_only("Google's emulator has no limit of size")
def test_a_request_takes_ten_megabytes_and_no_more(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"x" * 9_999_000)
    assert len(cloud.pull(subscription)[0].message.data) == 9_999_000
    with pytest.raises(InvalidArgument, match="request_size is too large"):
        cloud.publish(topic, b"x" * 10_000_000)


WRONG_MESSAGES: dict[str, dict[str, Any]] = {
    "empty attribute key": {"attributes": {"": "v"}},
    "long attribute key": {"attributes": {"ü" * 129: "v"}},
    "long attribute value": {"attributes": {"k": "v" * 1_025}},
    "too many attributes": {"attributes": {f"k{number}": "v" for number in range(101)}},
    "reserved attribute key": {"attributes": {"goog-x": "v"}},
    "long ordering key": {"ordering_key": "k" * 1_025},
}


@pytest.mark.embedded_only("Google's emulator does not check these")
@pytest.mark.parametrize("case", WRONG_MESSAGES)
def test_a_message_that_the_service_refuses_is_refused(cloud: Any, case: str) -> None:
    with pytest.raises(InvalidArgument):
        cloud.publish(cloud.topic(), b"x", **WRONG_MESSAGES[case])


@pytest.mark.embedded_only("Google's emulator does not check these")
def test_a_message_at_its_limits_is_taken(cloud: Any) -> None:
    attributes = {f"k{number}": "v" * 1_024 for number in range(99)} | {"k" * 256: "v"}
    assert cloud.publish(cloud.topic(), b"x", attributes=attributes, ordering_key="k" * 1_024)
