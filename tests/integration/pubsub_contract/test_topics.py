"""Topics: what can be created, changed, listed and deleted."""

from typing import Any

import pytest
from google.api_core.exceptions import AlreadyExists, InvalidArgument, NotFound

BAD_NAMES = [
    "",
    "t",
    "projects/p/topics/a",
    "projects/p/topics/1abc",
    "projects/p/topics/goog-x",
    "projects/p/topics/a b",
]
WEEK = 7 * 86_400


def test_a_topic_is_returned_as_it_was_created(cloud: Any) -> None:
    name = cloud.topic(labels={"team": "data"}, message_retention_duration={"seconds": 600})
    topic = cloud.publisher.get_topic(topic=name)
    assert topic.name == name
    assert dict(topic.labels) == {"team": "data"}
    assert topic.message_retention_duration.total_seconds() == 600


def test_a_topic_can_be_created_only_once(cloud: Any) -> None:
    name = cloud.topic()
    with pytest.raises(AlreadyExists):
        cloud.publisher.create_topic(name=name)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_bad_name_is_refused(cloud: Any, name: str) -> None:
    with pytest.raises(InvalidArgument, match="Invalid"):
        cloud.publisher.create_topic(name=name)
    with pytest.raises(InvalidArgument):
        cloud.publisher.publish(topic=name, messages=[{"data": b"x"}])


@pytest.mark.parametrize("seconds", [599, 31 * 86_400 + 1])
def test_a_retention_out_of_bounds_is_refused(cloud: Any, seconds: int) -> None:
    with pytest.raises(InvalidArgument, match="message_retention_duration"):
        cloud.topic(message_retention_duration={"seconds": seconds})


@pytest.mark.embedded_only("Google's emulator takes any label")
def test_a_label_in_upper_case_is_refused(cloud: Any) -> None:
    with pytest.raises(InvalidArgument, match="label"):
        cloud.topic(labels={"Team": "data"})


def test_a_missing_topic_is_not_found(cloud: Any) -> None:
    name = cloud.name("topics")
    for call in (cloud.publisher.get_topic, cloud.publisher.delete_topic):
        with pytest.raises(NotFound):
            call(topic=name)
    with pytest.raises(NotFound):
        cloud.publish(name, b"x")


@pytest.mark.embedded_only("Google's emulator lists nothing instead")
def test_the_lists_of_a_missing_topic_are_not_found(cloud: Any) -> None:
    for call in (cloud.publisher.list_topic_subscriptions, cloud.publisher.list_topic_snapshots):
        with pytest.raises(NotFound):
            call(topic=cloud.name("topics"))


def test_an_update_changes_only_what_the_mask_names(cloud: Any) -> None:
    name = cloud.topic(labels={"a": "b"})
    given = {"name": name, "message_retention_duration": {"seconds": 900}, "labels": {"c": "d"}}
    mask = {"paths": ["message_retention_duration"]}
    cloud.publisher.update_topic(request={"topic": given, "update_mask": mask})
    topic = cloud.publisher.get_topic(topic=name)
    assert topic.message_retention_duration.total_seconds() == 900
    assert dict(topic.labels) == {"a": "b"}


@pytest.mark.parametrize("paths", [[], ["nope"], ["name"]])
def test_an_update_with_a_wrong_mask_is_refused(cloud: Any, paths: list[str]) -> None:
    name = cloud.topic()
    with pytest.raises(InvalidArgument, match="update_mask"):
        cloud.publisher.update_topic(request={"topic": {"name": name}, "update_mask": {"paths": paths}})


@pytest.mark.embedded_only("Google's emulator can't change labels")
def test_labels_can_be_changed(cloud: Any) -> None:
    name = cloud.topic(labels={"a": "b"})
    given = {"name": name, "labels": {"c": "d"}}
    cloud.publisher.update_topic(request={"topic": given, "update_mask": {"paths": ["labels"]}})
    assert dict(cloud.publisher.get_topic(topic=name).labels) == {"c": "d"}


def test_pages_hold_every_topic_of_the_project_once(cloud: Any) -> None:
    made = {cloud.topic() for _ in range(5)}
    pages = list(cloud.publisher.list_topics(request={"project": f"projects/{cloud.project}", "page_size": 2}).pages)
    assert [len(page.topics) for page in pages] == [2, 2, 1]
    assert {topic.name for page in pages for topic in page.topics} == made


@pytest.mark.embedded_only("Google's emulator takes any token and any size")
@pytest.mark.parametrize("fields", [{"page_token": "junk"}, {"page_size": -1}])
def test_a_wrong_page_request_is_refused(cloud: Any, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        cloud.publisher.list_topics(request={"project": f"projects/{cloud.project}", **fields})


def test_the_subscriptions_of_a_topic_are_listed(cloud: Any) -> None:
    topic = cloud.topic()
    made = {cloud.subscription(topic) for _ in range(3)}
    cloud.pair()
    assert set(cloud.publisher.list_topic_subscriptions(topic=topic)) == made


def test_a_subscription_outlives_its_topic(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publish(topic, b"before")
    cloud.publisher.delete_topic(topic=topic)
    assert cloud.subscriber.get_subscription(subscription=subscription).topic == "_deleted-topic_"
    assert [message.message.data for message in cloud.pull(subscription)] == [b"before"]


def test_a_new_topic_of_the_same_name_is_another_one(cloud: Any) -> None:
    topic, subscription = cloud.pair()
    cloud.publisher.delete_topic(topic=topic)
    cloud.publisher.create_topic(name=topic)
    cloud.publish(topic, b"x")
    assert cloud.nothing_to_pull(subscription)


@pytest.mark.embedded_only("Google's emulator has no detaching")
def test_a_detached_subscription_gives_nothing_any_more(cloud: Any) -> None:
    from google.api_core.exceptions import FailedPrecondition

    topic, subscription = cloud.pair()
    cloud.publish(topic, b"x")
    cloud.publisher.detach_subscription(request={"subscription": subscription})
    assert cloud.subscriber.get_subscription(subscription=subscription).detached
    assert list(cloud.publisher.list_topic_subscriptions(topic=topic)) == []
    with pytest.raises(FailedPrecondition, match="detached"):
        cloud.pull_now(subscription)
    with cloud.stream(subscription) as stream, pytest.raises(FailedPrecondition):
        stream.next()


@pytest.mark.embedded_only("Google's emulator has no IAM")
def test_an_iam_policy_is_kept_and_guarded_by_its_etag(cloud: Any) -> None:
    from google.api_core.exceptions import Aborted

    topic = cloud.topic()
    policy = cloud.publisher.get_iam_policy(request={"resource": topic})
    stale = policy.etag
    policy.bindings.add(role="roles/pubsub.viewer", members=["user:ann@example.com"])
    cloud.publisher.set_iam_policy(request={"resource": topic, "policy": policy})
    kept = cloud.publisher.get_iam_policy(request={"resource": topic})
    assert [binding.role for binding in kept.bindings] == ["roles/pubsub.viewer"]
    with pytest.raises(Aborted):
        cloud.publisher.set_iam_policy(request={"resource": topic, "policy": {"etag": stale + b"x"}})
    asked = ["pubsub.topics.publish"]
    answer = cloud.publisher.test_iam_permissions(request={"resource": topic, "permissions": asked})
    assert list(answer.permissions) == asked


@pytest.mark.embedded_only("Google's emulator has no IAM")
def test_an_iam_policy_needs_its_resource(cloud: Any) -> None:
    with pytest.raises(NotFound):
        cloud.publisher.get_iam_policy(request={"resource": cloud.name("topics")})


@pytest.mark.embedded_only("Google's emulator has schemas, ours says that it has not")
def test_what_the_emulator_lacks_is_refused_with_a_sentence(cloud: Any) -> None:
    from google.api_core.exceptions import MethodNotImplemented

    with pytest.raises(MethodNotImplemented, match="does not support schemas"):
        cloud.topic(schema_settings={"schema": f"projects/{cloud.project}/schemas/abc", "encoding": "JSON"})
    with pytest.raises(MethodNotImplemented, match="does not support push"):
        cloud.pair(push_config={"push_endpoint": "https://example.com/"})
