"""Subscriptions as resources: defaults, bounds, updates, lists."""

from typing import Any

import pytest
from google.api_core.exceptions import AlreadyExists, GoogleAPICallError, InvalidArgument, NotFound

DAY = 86_400


def test_defaults_are_filled_in(cloud: Any) -> None:
    topic, name = cloud.pair()
    subscription = cloud.subscriber.get_subscription(subscription=name)
    assert subscription.topic == topic
    assert subscription.ack_deadline_seconds == 10
    assert subscription.message_retention_duration.total_seconds() == 7 * DAY
    assert not subscription.retain_acked_messages
    assert not subscription.dead_letter_policy
    assert not subscription.retry_policy


def test_the_defaults_of_policies_are_filled_in(cloud: Any) -> None:
    topic = cloud.topic()
    name = cloud.subscription(topic, retry_policy={}, dead_letter_policy={"dead_letter_topic": topic})
    subscription = cloud.subscriber.get_subscription(subscription=name)
    assert subscription.retry_policy.minimum_backoff.total_seconds() == 10
    assert subscription.retry_policy.maximum_backoff.total_seconds() == 600
    assert subscription.dead_letter_policy.max_delivery_attempts == 5


def test_what_was_created_is_returned_and_listed(cloud: Any) -> None:
    topic = cloud.topic()
    request = {
        "name": cloud.name("subscriptions"),
        "topic": topic,
        "ack_deadline_seconds": 30,
        "retain_acked_messages": True,
        "message_retention_duration": {"seconds": 911},
        "expiration_policy": {"ttl": {"seconds": 90_210}},
        "labels": {"team": "data"},
        "enable_message_ordering": True,
        "enable_exactly_once_delivery": True,
        "retry_policy": {"minimum_backoff": {"seconds": 1}, "maximum_backoff": {"seconds": 60}},
    }
    created = cloud.subscriber.create_subscription(request=request)
    assert created.retry_policy.maximum_backoff.total_seconds() == 60
    assert created.expiration_policy.ttl.total_seconds() == 90_210
    listed = list(cloud.subscriber.list_subscriptions(project=f"projects/{cloud.project}"))
    assert listed == [created]
    assert cloud.subscriber.get_subscription(subscription=created.name) == created


def test_a_subscription_can_be_created_only_once(cloud: Any) -> None:
    topic, name = cloud.pair()
    with pytest.raises(AlreadyExists):
        cloud.subscriber.create_subscription(name=name, topic=topic)


def test_a_subscription_needs_an_existing_topic(cloud: Any) -> None:
    with pytest.raises(NotFound):
        cloud.subscription(cloud.name("topics"))
    with pytest.raises(InvalidArgument):
        cloud.subscription("nonsense")


WRONG_FIELDS: dict[str, dict[str, Any]] = {
    "ack deadline too long": {"ack_deadline_seconds": 601},
    "ack deadline negative": {"ack_deadline_seconds": -1},
    "retention too short": {"message_retention_duration": {"seconds": 599}},
    "retention too long": {"message_retention_duration": {"seconds": 32 * DAY}},
    "backoff too long": {"retry_policy": {"minimum_backoff": {"seconds": 601}}},
    "backoff upside down": {"retry_policy": {"minimum_backoff": {"seconds": 20}, "maximum_backoff": {"seconds": 10}}},
}


@pytest.mark.parametrize("case", WRONG_FIELDS)
def test_a_field_out_of_bounds_is_refused(cloud: Any, case: str) -> None:
    with pytest.raises(InvalidArgument):
        cloud.pair(**WRONG_FIELDS[case])


STRICT_FIELDS: dict[str, dict[str, Any]] = {
    "ack deadline too short": {"ack_deadline_seconds": 9},
    "expires within a day": {"expiration_policy": {"ttl": {"seconds": 3_600}}},
    "label in upper case": {"labels": {"A": "b"}},
    "filter that is none": {"filter": "attributes.x ="},
    "filter too long": {"filter": 'attributes.x = "' + "y" * 256 + '"'},
}


@pytest.mark.embedded_only("Google's emulator does not check these")
@pytest.mark.parametrize("case", STRICT_FIELDS)
def test_a_field_that_the_service_refuses_is_refused(cloud: Any, case: str) -> None:
    with pytest.raises(InvalidArgument):
        cloud.pair(**STRICT_FIELDS[case])


@pytest.mark.parametrize("attempts", [4, 101])
def test_delivery_attempts_out_of_range_are_refused(cloud: Any, attempts: int) -> None:
    topic = cloud.topic()
    policy = {"dead_letter_topic": topic, "max_delivery_attempts": attempts}
    with pytest.raises(GoogleAPICallError, match="max_delivery_attempts is too") as refused:
        cloud.subscription(topic, dead_letter_policy=policy)
    assert refused.value.grpc_status_code.name == "OUT_OF_RANGE"


def test_a_dead_letter_topic_must_exist(cloud: Any) -> None:
    with pytest.raises(NotFound, match="Dead letter topic not found"):
        cloud.pair(dead_letter_policy={"dead_letter_topic": cloud.name("topics")})


def test_a_missing_subscription_is_not_found(cloud: Any) -> None:
    name = cloud.name("subscriptions")
    for call in (cloud.subscriber.get_subscription, cloud.subscriber.delete_subscription):
        with pytest.raises(NotFound):
            call(subscription=name)
    with pytest.raises(NotFound):
        cloud.pull_now(name)
    with pytest.raises(NotFound):
        cloud.subscriber.acknowledge(subscription=name, ack_ids=["x"])


@pytest.mark.parametrize("name", ["s", "projects/p/subscriptions/a", "projects/p/topics/abc"])
def test_a_bad_name_is_refused_by_every_call(cloud: Any, name: str) -> None:
    topic = cloud.topic()
    with pytest.raises(InvalidArgument):
        cloud.subscriber.create_subscription(name=name, topic=topic)
    with pytest.raises(InvalidArgument):
        cloud.subscriber.get_subscription(subscription=name)
    with pytest.raises(InvalidArgument):
        cloud.pull_now(name)
    with cloud.stream(name) as stream, pytest.raises(InvalidArgument):
        stream.next()


def update(cloud: Any, name: str, paths: list[str], **fields: Any) -> Any:
    request = {"subscription": {"name": name, **fields}, "update_mask": {"paths": paths}}
    return cloud.subscriber.update_subscription(request=request)


def test_an_update_sets_and_clears_what_the_mask_names(cloud: Any) -> None:
    topic, name = cloud.pair(labels={"a": "b"})
    policy = {"dead_letter_topic": topic, "max_delivery_attempts": 7}
    changed = update(
        cloud,
        name,
        ["dead_letter_policy", "ack_deadline_seconds"],
        dead_letter_policy=policy,
        ack_deadline_seconds=30,
    )
    assert changed.dead_letter_policy.max_delivery_attempts == 7
    assert changed.ack_deadline_seconds == 30
    assert dict(changed.labels) == {"a": "b"}
    cleared = update(cloud, name, ["dead_letter_policy"])
    assert not cleared.dead_letter_policy
    assert cleared == cloud.subscriber.get_subscription(subscription=name)


@pytest.mark.parametrize(
    "paths", [[], ["nope"], ["name"], ["topic"], ["enable_message_ordering"], ["dead_letter_policy.x"]]
)
def test_an_update_with_a_wrong_mask_is_refused(cloud: Any, paths: list[str]) -> None:
    _, name = cloud.pair()
    with pytest.raises(InvalidArgument, match="update_mask"):
        update(cloud, name, paths)


def test_an_update_out_of_bounds_changes_nothing(cloud: Any) -> None:
    _, name = cloud.pair()
    with pytest.raises(InvalidArgument):
        update(cloud, name, ["ack_deadline_seconds"], ack_deadline_seconds=601)
    assert cloud.subscriber.get_subscription(subscription=name).ack_deadline_seconds == 10


def test_a_filter_can_not_be_changed(cloud: Any) -> None:
    _, name = cloud.pair()
    with pytest.raises(InvalidArgument):
        update(cloud, name, ["filter"], filter="attributes:x")


def test_pages_hold_every_subscription_once(cloud: Any) -> None:
    topic = cloud.topic()
    made = {cloud.subscription(topic) for _ in range(5)}
    request = {"project": f"projects/{cloud.project}", "page_size": 2}
    pages = list(cloud.subscriber.list_subscriptions(request=request).pages)
    assert all(len(page.subscriptions) <= 2 for page in pages)
    found = [subscription.name for page in pages for subscription in page.subscriptions]
    assert sorted(found) == sorted(made)


def test_a_deleted_subscription_is_gone_with_its_messages(cloud: Any) -> None:
    topic, name = cloud.pair()
    cloud.publish(topic, b"x")
    cloud.subscriber.delete_subscription(subscription=name)
    cloud.subscriber.create_subscription(name=name, topic=topic)
    assert cloud.nothing_to_pull(name)


@pytest.mark.embedded_only("Google's emulator keeps the stream open")
def test_a_stream_ends_when_its_subscription_is_deleted(cloud: Any) -> None:
    topic, name = cloud.pair()
    cloud.publish(topic, b"x")
    with cloud.stream(name) as stream:
        stream.messages(1)
        cloud.subscriber.delete_subscription(subscription=name)
        with pytest.raises(NotFound):
            stream.next()
