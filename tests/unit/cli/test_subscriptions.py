"""The subscriptions as they should be, and what of one that is there is set, or can't be."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from google.iam.v1 import policy_pb2
from google.pubsub_v1 import types

from dataplatform.errors import ConfigurationError
from dataplatform.settings import PlatformSettings
from eydp.provision.grants import has_member, service_agent, with_member
from eydp.provision.messaging import differing, wanted_subscriptions

_PLATFORM = PlatformSettings(project="p")


def _events(*, ordering: bool = False) -> types.Subscription:
    return wanted_subscriptions(_PLATFORM, ordering=ordering)[1]


def test_the_events_subscription_is_as_the_platform_promises() -> None:
    wanted = _events()
    assert wanted.name == "projects/p/subscriptions/carts-events-sub"
    assert wanted.topic == "projects/p/topics/carts-events"
    assert wanted.dead_letter_policy.dead_letter_topic == "projects/p/topics/carts-events-dlq"
    assert wanted.dead_letter_policy.max_delivery_attempts == 10
    assert wanted.message_retention_duration == timedelta(days=7)
    assert wanted.retry_policy.minimum_backoff == timedelta(seconds=1)
    assert wanted.retry_policy.maximum_backoff == timedelta(seconds=60)
    assert wanted.ack_deadline_seconds == 60
    assert "expiration_policy" in wanted
    assert not wanted.expiration_policy.ttl
    assert not wanted.enable_message_ordering


def test_the_dead_letters_have_a_subscription_without_dead_letters_of_its_own() -> None:
    dead_letters, events, _ = wanted_subscriptions(_PLATFORM, ordering=False)
    assert dead_letters.topic == events.dead_letter_policy.dead_letter_topic
    assert "dead_letter_policy" not in dead_letters


def test_a_dead_letter_that_was_given_back_is_there_again_without_backoff() -> None:
    dead_letters, events, _ = wanted_subscriptions(_PLATFORM, ordering=False)
    assert "retry_policy" not in dead_letters
    found = types.Subscription(dead_letters)
    found.retry_policy = events.retry_policy
    assert differing(found, dead_letters) == ["retry_policy"]


def test_pushed_carts_stay_in_order_for_a_week_and_never_become_dead_letters() -> None:
    pushed = wanted_subscriptions(_PLATFORM, ordering=False)[2]
    assert pushed.name == "projects/p/subscriptions/carts-pushed-sub"
    assert pushed.topic == "projects/p/topics/carts-pushed"
    assert pushed.enable_message_ordering
    assert pushed.message_retention_duration == timedelta(days=7)
    assert pushed.ack_deadline_seconds == 60
    assert "expiration_policy" in pushed
    assert not pushed.expiration_policy.ttl
    assert "dead_letter_policy" not in pushed


def test_pushed_carts_without_order_are_refused() -> None:
    pushed = wanted_subscriptions(_PLATFORM, ordering=False)[2]
    found = types.Subscription(pushed)
    found.enable_message_ordering = False
    with pytest.raises(ConfigurationError, match="has message ordering off but the platform needs it on"):
        differing(found, pushed)


def test_a_subscription_as_it_should_be_needs_nothing() -> None:
    assert differing(_events(), _events()) == []


def test_a_label_of_somebody_else_is_no_difference() -> None:
    found = _events()
    found.labels["team"] = "shop"
    assert differing(found, _events()) == []


def _no_labels(found: types.Subscription) -> None:
    found.labels = {}


def _expires(found: types.Subscription) -> None:
    found.expiration_policy = types.ExpirationPolicy(ttl=timedelta(days=31))


def _few_tries(found: types.Subscription) -> None:
    found.dead_letter_policy.max_delivery_attempts = 5


def _short(found: types.Subscription) -> None:
    found.ack_deadline_seconds = 10
    found.message_retention_duration = timedelta(days=1)


def _pushes(found: types.Subscription) -> None:
    found.push_config = types.PushConfig(push_endpoint="https://shop.example/events")


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        (_no_labels, ["labels"]),
        (_expires, ["expiration_policy"]),
        (_few_tries, ["dead_letter_policy"]),
        (_short, ["ack_deadline_seconds", "message_retention_duration"]),
        (_pushes, ["push_config"]),
    ],
)
def test_what_differs_is_named(change: Callable[[types.Subscription], None], fields: list[str]) -> None:
    found = _events()
    change(found)
    assert differing(found, _events()) == fields


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"topic": "_deleted-topic_"}, "is on _deleted-topic_ but should be on projects/p/topics/carts-events"),
        ({"enable_message_ordering": True}, "has message ordering on but EYDP_POLLER_ORDERING_KEYS wants it off"),
        ({"filter": 'attributes.source = "x"'}, "lets only"),
    ],
)
def test_what_pubsub_can_not_change_is_refused(found: dict[str, object], words: str) -> None:
    there = _events()
    for field, value in found.items():
        setattr(there, field, value)
    with pytest.raises(ConfigurationError, match=words):
        differing(there, _events())


def test_a_grant_is_added_once_and_others_and_the_etag_are_kept() -> None:
    policy = policy_pb2.Policy(etag=b"7")
    policy.bindings.add(role="roles/viewer", members=["user:a@b.c"])
    member = service_agent("42")
    changed = with_member(policy, "roles/pubsub.publisher", member)

    assert not has_member(policy, "roles/pubsub.publisher", member)
    assert has_member(changed, "roles/pubsub.publisher", member)
    assert has_member(changed, "roles/viewer", "user:a@b.c")
    assert changed.etag == b"7"


def test_a_grant_under_a_condition_is_not_counted() -> None:
    policy = policy_pb2.Policy()
    policy.bindings.add(role="r", members=["m"]).condition.expression = "false"
    assert not has_member(policy, "r", "m")
