"""What the service fills into a new resource, and what it refuses in one."""

import re
from typing import NamedTuple

from localcloud.pubsub import names
from localcloud.pubsub.errors import Code, PubsubError, invalid, out_of_bounds, unsupported
from localcloud.pubsub.policy import seconds
from localcloud.pubsub.protos import Proto

ACTIVE = 1  # Topic.State.ACTIVE and Subscription.State.ACTIVE

_DAY = 86_400
_MAX_LABELS = 64
_LABEL_KEY = re.compile(r"[^\W\d_][\w-]{0,62}")
_LABEL_CHARACTERS = "lower-case letters, digits, '_' and '-'"
_LABEL_VALUE = re.compile(r"[\w-]{0,63}")


class _Range(NamedTuple):
    low: int
    high: int


_ACK_DEADLINE = _Range(10, 600)
_RETENTION = _Range(600, 31 * _DAY)
_BACKOFF = _Range(0, 600)
_MAX_ATTEMPTS = _Range(5, 100)


def complete_topic(topic: Proto) -> None:
    """Check a `Topic` and fill in what the service fills in."""
    names.topic(topic.name)
    _check_labels(topic.labels)
    if topic.HasField("message_retention_duration"):
        _check_seconds("message_retention_duration", topic.message_retention_duration, _RETENTION)
    _refuse_fields(topic, {"schema_settings": "schemas", "ingestion_data_source_settings": "ingestion"})
    if topic.message_transforms:
        raise unsupported("message transforms")
    topic.state = ACTIVE


def complete_subscription(subscription: Proto) -> None:
    """Check a `Subscription`, all but whether the topics it names exist, and fill in the defaults."""
    names.subscription(subscription.name)
    _check_labels(subscription.labels)
    if not subscription.ack_deadline_seconds:
        subscription.ack_deadline_seconds = _ACK_DEADLINE.low
    deadline = subscription.ack_deadline_seconds
    if not _ACK_DEADLINE.low <= deadline <= _ACK_DEADLINE.high:
        raise out_of_bounds("ack_deadline_seconds", deadline, *_ACK_DEADLINE)
    if not subscription.HasField("message_retention_duration"):
        subscription.message_retention_duration.seconds = 7 * _DAY
    _check_seconds("message_retention_duration", subscription.message_retention_duration, _RETENTION)
    if not subscription.HasField("expiration_policy"):
        subscription.expiration_policy.ttl.seconds = 31 * _DAY
    if subscription.expiration_policy.HasField("ttl") and seconds(subscription.expiration_policy.ttl) < _DAY:
        raise invalid("The value for expiration_policy.ttl is too small: the minimum is 1 day.")
    _complete_dead_letters(subscription)
    _complete_retry(subscription)
    _refuse_delivery(subscription)
    subscription.state = ACTIVE


def _complete_dead_letters(subscription: Proto) -> None:
    if not subscription.HasField("dead_letter_policy"):
        return
    policy = subscription.dead_letter_policy
    names.topic(policy.dead_letter_topic, field="dead_letter_topic")
    attempts = policy.max_delivery_attempts
    if not attempts:
        policy.max_delivery_attempts = _MAX_ATTEMPTS.low
    elif not _MAX_ATTEMPTS.low <= attempts <= _MAX_ATTEMPTS.high:
        small = attempts < _MAX_ATTEMPTS.low
        size, bound = ("small", "minimum") if small else ("large", "maximum")
        raise PubsubError(
            Code.OUT_OF_RANGE,
            f"The value for max_delivery_attempts is too {size}. You passed {attempts} in the request, "
            f"but the {bound} value is {_MAX_ATTEMPTS.low if small else _MAX_ATTEMPTS.high}.",
        )


def _complete_retry(subscription: Proto) -> None:
    if not subscription.HasField("retry_policy"):
        return
    retry = subscription.retry_policy
    if not retry.HasField("minimum_backoff"):
        retry.minimum_backoff.seconds = 10
    if not retry.HasField("maximum_backoff"):
        retry.maximum_backoff.seconds = 600
    _check_seconds("minimum_backoff", retry.minimum_backoff, _BACKOFF)
    _check_seconds("maximum_backoff", retry.maximum_backoff, _BACKOFF)
    low, high = seconds(retry.minimum_backoff), seconds(retry.maximum_backoff)
    if high < low:
        raise invalid(
            f"The value for maximum_backoff is too small. You passed {high:g}s in the request, "
            f"but the minimum value is {low:g}s."
        )


def _refuse_delivery(subscription: Proto) -> None:
    subscription.push_config.SetInParent()
    if subscription.push_config.push_endpoint:
        raise unsupported("push subscriptions")
    _refuse_fields(
        subscription,
        {
            "bigquery_config": "BigQuery subscriptions",
            "cloud_storage_config": "Cloud Storage subscriptions",
            "bigtable_config": "Bigtable subscriptions",
        },
    )
    if subscription.message_transforms:
        raise unsupported("message transforms")


def _refuse_fields(resource: Proto, fields: dict[str, str]) -> None:
    known = resource.DESCRIPTOR.fields_by_name
    for field, what in fields.items():
        if field in known and resource.HasField(field):
            raise unsupported(what)


def _check_seconds(field: str, duration: Proto, bounds: _Range) -> None:
    given = seconds(duration)
    if not bounds.low <= given <= bounds.high:
        raise out_of_bounds(field, f"{given:g}s", f"{bounds.low}s", f"{bounds.high}s")


def _check_labels(labels: Proto) -> None:
    if len(labels) > _MAX_LABELS:
        raise invalid(f"A resource has {len(labels)} labels, but the maximum is {_MAX_LABELS}.")
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key) or key != key.lower():
            raise invalid(f"Invalid label key {key!r}: it may have 63 {_LABEL_CHARACTERS}, a letter first.")
        if not _LABEL_VALUE.fullmatch(value) or value != value.lower():
            raise invalid(f"Invalid label value {value!r}: lower-case letters, digits, '_' and '-', 63 at most.")
