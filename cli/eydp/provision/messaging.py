"""Topics and subscriptions, dead letters included."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from google.api_core.exceptions import NotFound
from google.pubsub_v1 import types

from dataplatform.settings import PlatformSettings
from eydp.provision.plan import Step
from eydp.provision.warehouse import LABELS

#: Above what a rolling restart costs a message; a message that can't be processed is quarantined, not retried.
MAX_DELIVERY_ATTEMPTS = 10
RETENTION = timedelta(days=7)
ACK_DEADLINE_SECONDS = 60
MIN_BACKOFF = timedelta(seconds=1)
MAX_BACKOFF = timedelta(seconds=60)


async def provision_messaging(
    publisher: Any, subscriber: Any, platform: PlatformSettings, *, dry_run: bool
) -> AsyncIterator[Step]:
    """Create what is missing and set what differs; yield a step for each resource."""
    timeout = platform.request_timeout_seconds
    dead_letters = f"projects/{platform.project}/topics/{platform.dead_letter_topic}"
    for topic in (dead_letters, platform.topic_path):
        try:
            await publisher.get_topic(topic=topic, retry=None, timeout=timeout)
        except NotFound:
            if not dry_run:
                await publisher.create_topic(
                    request=types.Topic(name=topic, labels=LABELS), retry=None, timeout=timeout
                )
            yield Step("create", f"topic {topic}")
        else:
            yield Step("unchanged", f"topic {topic}")
    for wanted in (
        _subscription(
            f"projects/{platform.project}/subscriptions/{platform.dead_letter_subscription}", dead_letters, None
        ),
        _subscription(platform.subscription_path, platform.topic_path, dead_letters),
    ):
        yield await _ensure(subscriber, wanted, timeout, dry_run=dry_run)


async def _ensure(subscriber: Any, wanted: types.Subscription, timeout_seconds: float, *, dry_run: bool) -> Step:
    name = f"subscription {wanted.name}"
    try:
        found = await subscriber.get_subscription(subscription=wanted.name, retry=None, timeout=timeout_seconds)
    except NotFound:
        if not dry_run:
            await subscriber.create_subscription(request=wanted, retry=None, timeout=timeout_seconds)
        detail = f"dead letters after {MAX_DELIVERY_ATTEMPTS} tries" if wanted.dead_letter_policy else ""
        return Step("create", name, detail)
    differing = [field for field in _COMPARED if getattr(found, field) != getattr(wanted, field)]
    if not differing:
        return Step("unchanged", name)
    if not dry_run:
        request = types.UpdateSubscriptionRequest(subscription=wanted, update_mask={"paths": differing})
        await subscriber.update_subscription(request=request, retry=None, timeout=timeout_seconds)
    return Step("update", name, ", ".join(differing))


_COMPARED = ("ack_deadline_seconds", "dead_letter_policy", "retry_policy", "message_retention_duration")


def _subscription(name: str, topic: str, dead_letters: str | None) -> types.Subscription:
    subscription = types.Subscription(
        name=name,
        topic=topic,
        ack_deadline_seconds=ACK_DEADLINE_SECONDS,
        message_retention_duration=RETENTION,
        retry_policy=types.RetryPolicy(minimum_backoff=MIN_BACKOFF, maximum_backoff=MAX_BACKOFF),
        expiration_policy=types.ExpirationPolicy(),
        labels=LABELS,
    )
    if dead_letters is not None:
        subscription.dead_letter_policy = types.DeadLetterPolicy(
            dead_letter_topic=dead_letters, max_delivery_attempts=MAX_DELIVERY_ATTEMPTS
        )
    return subscription
