"""What `eydp provision` makes in an empty project: its code runs on clients that find nothing and note what is made."""

from dataclasses import dataclass, field
from typing import Any

from google.api_core.exceptions import NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.iam.v1 import policy_pb2
from google.pubsub_v1 import types

from dataplatform.clock import SystemClock
from dataplatform.retry import Retrier, RetryPolicy
from dataplatform.settings import PlatformSettings
from eydp.provision.calls import Calls
from eydp.provision.grants import provision_grants
from eydp.provision.messaging import provision_messaging
from eydp.provision.storage import provision_bucket
from eydp.provision.warehouse import provision_warehouse


@dataclass
class Provisioned:
    """What was created, each in the form of its API; grants are (resource, role, member)."""

    topics: list[types.Topic] = field(default_factory=list)
    subscriptions: list[types.Subscription] = field(default_factory=list)
    buckets: list[dict[str, Any]] = field(default_factory=list)
    datasets: list[dict[str, Any]] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    grants: set[tuple[str, str, str]] = field(default_factory=set)


async def provisioned(platform: PlatformSettings, member: str, *, ordering: bool = False) -> Provisioned:
    """Provision an empty project."""
    made = Provisioned()
    calls = Calls(Retrier(RetryPolicy(5), SystemClock()), timeout_seconds=5)
    pubsub, bigquery, bucket = _PubSub(made), _BigQuery(made), _Storage(made)
    async for _ in provision_messaging(pubsub, pubsub, platform, calls, ordering=ordering, dry_run=False):
        pass
    async for _ in provision_grants(pubsub, pubsub, platform, member, calls, dry_run=False):
        pass
    async for _ in provision_warehouse(bigquery, platform, calls, dry_run=False):
        pass
    await provision_bucket(bucket, platform, calls, emulated=False, dry_run=False)
    return made


class _PubSub:
    def __init__(self, made: Provisioned) -> None:
        self._made = made

    async def get_topic(self, **_: Any) -> Any:
        raise NotFound("none")

    get_subscription = get_topic

    async def create_topic(self, *, request: types.Topic, **_: Any) -> None:
        self._made.topics.append(request)

    async def create_subscription(self, *, request: types.Subscription, **_: Any) -> None:
        self._made.subscriptions.append(request)

    async def get_iam_policy(self, **_: Any) -> Any:
        return policy_pb2.Policy()

    async def set_iam_policy(self, *, request: dict[str, Any], **_: Any) -> None:
        for binding in request["policy"].bindings:
            self._made.grants.update((request["resource"], binding.role, member) for member in binding.members)


class _BigQuery:
    def __init__(self, made: Provisioned) -> None:
        self._made = made

    def get_dataset(self, *_: Any, **__: Any) -> Any:
        raise NotFound("none")

    get_table = get_dataset

    def create_dataset(self, dataset: Any, **_: Any) -> None:
        self._made.datasets.append(dataset.to_api_repr())

    def create_table(self, table: Any, **_: Any) -> None:
        self._made.tables.append(table.to_api_repr())


class _Storage:
    def __init__(self, made: Provisioned) -> None:
        self._made = made
        self._client = storage.Client(project="p", credentials=AnonymousCredentials())

    def bucket(self, name: str) -> Any:
        return self._client.bucket(name)

    def get_bucket(self, *_: Any, **__: Any) -> Any:
        raise NotFound("none")

    def create_bucket(self, bucket: Any, *, location: str, **_: Any) -> None:
        configuration = bucket.iam_configuration
        self._made.buckets.append(
            {
                "name": bucket.name,
                "location": location,
                "labels": dict(bucket.labels),
                "uniform": configuration.uniform_bucket_level_access_enabled,
                "public": configuration.public_access_prevention,
                "lifecycle": [dict(rule) for rule in bucket.lifecycle_rules],
            }
        )
