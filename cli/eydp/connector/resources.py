"""Topics, subscriptions, bucket, datasets, tables and the services they need, from what `eydp provision` wants."""

import json
from typing import Any

from google.pubsub_v1 import types

from dataplatform.schemas import RAW_TABLES, WORK_TABLES, Table
from dataplatform.settings import PlatformSettings
from eydp.connector.objects import Manifest, kubernetes_name, labelled, manifest
from eydp.provision.lifecycle import lifecycle_rules
from eydp.provision.messaging import wanted_subscriptions, wanted_topics
from eydp.provision.plan import LABELS, table_resource

SERVICES = (
    "bigquery.googleapis.com",
    "bigquerystorage.googleapis.com",
    "iam.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "storage.googleapis.com",
)


def services(platform: PlatformSettings) -> list[Manifest]:
    """Return the APIs to switch on; they stay on when the objects are deleted."""
    return [
        manifest("serviceusage", "Service", name, platform.project, {"resourceID": name}, keep=True)
        for name in SERVICES
    ]


def messaging(platform: PlatformSettings, *, ordering: bool) -> list[Manifest]:
    """Return topics and subscriptions."""
    topics = [_last(topic) for topic in wanted_topics(platform)]
    wanted = wanted_subscriptions(platform, ordering=ordering)
    return [
        *(labelled("pubsub", "PubSubTopic", name, platform.project, {}) for name in topics),
        *(_subscription(subscription, platform) for subscription in wanted),
    ]


def bucket(platform: PlatformSettings) -> list[Manifest]:
    """Return the bucket, with the rules that `eydp provision` sets."""
    spec = {
        "location": platform.location,
        "uniformBucketLevelAccess": True,
        "publicAccessPrevention": "enforced",
        "lifecycleRule": lifecycle_rules(),
    }
    return [labelled("storage", "StorageBucket", platform.bucket_name, platform.project, spec, keep=True)]


def warehouse(platform: PlatformSettings) -> list[Manifest]:
    """Return datasets, without their access lists, and raw tables."""
    datasets = (platform.dataset_raw, platform.dataset_analytics)
    return [
        *(_dataset(name, platform) for name in datasets),
        *(_table(table, platform) for table in (*RAW_TABLES, *WORK_TABLES)),
    ]


def dataset_name(dataset: str) -> str:
    """Return the name of a dataset's object."""
    return kubernetes_name(dataset)


def table_name(dataset: str, table: str) -> str:
    """Return the name of a table's object."""
    return kubernetes_name(f"{dataset}-{table}")


def _subscription(wanted: types.Subscription, platform: PlatformSettings) -> Manifest:
    spec: dict[str, Any] = {
        "topicRef": {"name": _last(wanted.topic)},
        "ackDeadlineSeconds": wanted.ack_deadline_seconds,
        "messageRetentionDuration": _seconds(wanted.message_retention_duration),
        "expirationPolicy": {"ttl": ""},  # never
    }
    if wanted.enable_message_ordering:
        spec["enableMessageOrdering"] = True
    if "dead_letter_policy" in wanted:
        policy = wanted.dead_letter_policy
        spec["deadLetterPolicy"] = {
            "deadLetterTopicRef": {"name": _last(policy.dead_letter_topic)},
            "maxDeliveryAttempts": policy.max_delivery_attempts,
        }
    if "retry_policy" in wanted:
        spec["retryPolicy"] = {
            "minimumBackoff": _seconds(wanted.retry_policy.minimum_backoff),
            "maximumBackoff": _seconds(wanted.retry_policy.maximum_backoff),
        }
    return labelled("pubsub", "PubSubSubscription", _last(wanted.name), platform.project, spec)


def _dataset(name: str, platform: PlatformSettings) -> Manifest:
    spec = {"resourceID": name, "location": platform.location}
    return labelled("bigquery", "BigQueryDataset", dataset_name(name), platform.project, spec, keep=True)


def _table(table: Table, platform: PlatformSettings) -> Manifest:
    wanted = table_resource(table, platform.raw_table(table.name))
    spec: dict[str, Any] = {
        "resourceID": table.name,
        "datasetRef": {"name": dataset_name(platform.dataset_raw)},
        "description": wanted["description"],
    }
    if "timePartitioning" in wanted:
        spec["timePartitioning"] = wanted["timePartitioning"]
    if "clustering" in wanted:
        spec["clustering"] = wanted["clustering"]["fields"]
    spec["schema"] = json.dumps(wanted["schema"]["fields"], indent=1) + "\n"
    labels = {key: value for key, value in wanted["labels"].items() if key not in LABELS}
    name = table_name(platform.dataset_raw, table.name)
    return labelled("bigquery", "BigQueryTable", name, platform.project, spec, labels=labels, keep=True)


def _last(resource: str) -> str:
    return resource.rpartition("/")[2]


def _seconds(duration: Any) -> str:
    return f"{duration.total_seconds():g}s"
