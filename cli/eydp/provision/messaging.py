"""Topics and subscriptions, dead letters included."""

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

from google.api_core.exceptions import Conflict, NotFound
from google.pubsub_v1 import types

from dataplatform.errors import ConfigurationError
from dataplatform.settings import PlatformSettings
from eydp.provision.calls import Calls
from eydp.provision.plan import LABELS, Step, missing_labels

#: Above what a rolling restart costs a message; a message that can't be processed is quarantined, not retried.
MAX_DELIVERY_ATTEMPTS = 10
RETENTION = timedelta(days=7)
ACK_DEADLINE_SECONDS = 60
MIN_BACKOFF = timedelta(seconds=1)
MAX_BACKOFF = timedelta(seconds=60)

_UPDATED = (
    "ack_deadline_seconds",
    "dead_letter_policy",
    "expiration_policy",
    "message_retention_duration",
    "retry_policy",
)


async def provision_messaging(
    publisher: Any, subscriber: Any, platform: PlatformSettings, calls: Calls, *, ordering: bool, dry_run: bool
) -> AsyncIterator[Step]:
    """Create what is missing and set what differs; yield a step for each resource."""
    for topic in wanted_topics(platform):
        yield await _topic(publisher, topic, calls, dry_run=dry_run)
    for wanted in wanted_subscriptions(platform, ordering=ordering):
        yield await _subscription(subscriber, wanted, calls, dry_run=dry_run)


def dead_letter_topic(platform: PlatformSettings) -> str:
    """Return the full name of the topic of dead letters."""
    return f"projects/{platform.project}/topics/{platform.dead_letter_topic}"


def wanted_topics(platform: PlatformSettings) -> tuple[str, ...]:
    """Return the full names of the topics: dead letters, events, pushed carts."""
    return dead_letter_topic(platform), platform.topic_path, platform.push_topic_path


def wanted_subscriptions(platform: PlatformSettings, *, ordering: bool) -> tuple[types.Subscription, ...]:
    """Return the subscriptions as they should be: that of the dead letters, the consumers', the poller's."""
    alike: dict[str, Any] = {
        "ack_deadline_seconds": ACK_DEADLINE_SECONDS,
        "message_retention_duration": RETENTION,
        "expiration_policy": types.ExpirationPolicy(),  # an empty one: it never expires
        "labels": LABELS,
    }
    dead_letters = types.Subscription(
        name=f"projects/{platform.project}/subscriptions/{platform.dead_letter_subscription}",
        topic=dead_letter_topic(platform),
        **alike,  # without a retry policy: a letter that a person looked at and gave back is there again at once
    )
    events = types.Subscription(
        name=platform.subscription_path,
        topic=platform.topic_path,
        enable_message_ordering=ordering,
        dead_letter_policy=types.DeadLetterPolicy(
            dead_letter_topic=dead_letter_topic(platform), max_delivery_attempts=MAX_DELIVERY_ATTEMPTS
        ),
        retry_policy=types.RetryPolicy(minimum_backoff=MIN_BACKOFF, maximum_backoff=MAX_BACKOFF),
        **alike,
    )
    # Ordered, so that the last push of a cart wins; and without dead letters, whose gaps would break the order.
    pushed = types.Subscription(
        name=platform.push_subscription_path, topic=platform.push_topic_path, enable_message_ordering=True, **alike
    )
    return dead_letters, events, pushed


def differing(found: types.Subscription, wanted: types.Subscription) -> list[str]:
    """Return the fields of a subscription to set.

    Raises:
        ConfigurationError: something differs that Pub/Sub can't change.
    """
    why = "EYDP_POLLER_ORDERING_KEYS wants it" if "dead_letter_policy" in wanted else "the platform needs it"
    for sentence, is_so in (
        (f"is on {found.topic} but should be on {wanted.topic}", found.topic != wanted.topic),
        (
            f"has message ordering {_on(found)} but {why} {_on(wanted)}",
            found.enable_message_ordering != wanted.enable_message_ordering,
        ),
        (f"lets only {found.filter!r} pass", bool(found.filter)),
    ):
        if is_so:
            raise ConfigurationError(
                f"subscription {found.name} {sentence}, and Pub/Sub can't change that: when it is empty delete it and "
                "provision again, or choose another name"
            )
    there, here = types.Subscription.pb(found), types.Subscription.pb(wanted)
    fields = [field for field in _UPDATED if getattr(there, field) != getattr(here, field)]
    if found.push_config.push_endpoint:
        fields.append("push_config")
    return [*fields, *(["labels"] if missing_labels(found.labels, wanted.labels) else [])]


def _on(subscription: types.Subscription) -> str:
    return "on" if subscription.enable_message_ordering else "off"


async def _topic(publisher: Any, name: str, calls: Calls, *, dry_run: bool) -> Step:
    resource = f"topic {name}"
    try:
        found = await calls.awaiting(f"reading {resource}", publisher.get_topic, topic=name)
    except NotFound:
        if not dry_run:
            with suppress(Conflict):  # somebody else provisions at the same time
                request = types.Topic(name=name, labels=LABELS)
                await calls.awaiting(f"creating {resource}", publisher.create_topic, request=request)
        return Step("create", resource)
    labels = missing_labels(found.labels, LABELS)
    if not labels:
        return Step("unchanged", resource)
    if not dry_run:
        topic = types.Topic(name=name, labels=labels)
        request = types.UpdateTopicRequest(topic=topic, update_mask={"paths": ["labels"]})
        await calls.awaiting(f"updating {resource}", publisher.update_topic, request=request)
    return Step("update", resource, "labels")


async def _subscription(subscriber: Any, wanted: types.Subscription, calls: Calls, *, dry_run: bool) -> Step:
    resource = f"subscription {wanted.name}"
    try:
        found = await calls.awaiting(f"reading {resource}", subscriber.get_subscription, subscription=wanted.name)
    except NotFound:
        if not dry_run:
            with suppress(Conflict):
                await calls.awaiting(f"creating {resource}", subscriber.create_subscription, request=wanted)
        detail = f"dead letters after {MAX_DELIVERY_ATTEMPTS} tries" if "dead_letter_policy" in wanted else ""
        return Step("create", resource, detail)
    fields = differing(found, wanted)
    if not fields:
        return Step("unchanged", resource)
    if not dry_run:
        sent = types.Subscription(wanted)
        sent.labels = missing_labels(found.labels, wanted.labels) or dict(found.labels)
        request = types.UpdateSubscriptionRequest(subscription=sent, update_mask={"paths": fields})
        await calls.awaiting(f"updating {resource}", subscriber.update_subscription, request=request)
    return Step("update", resource, ", ".join(fields))
