"""One question to each dependency: is it there, as it should be, and open to this account?"""

import asyncio
import functools
from collections.abc import Iterable
from typing import Any

import aiohttp
from google.pubsub_v1 import types

from carts_poller.settings import PollerSettings
from dataplatform import clients, settings
from dataplatform.clock import SystemClock
from dataplatform.errors import ConfigurationError
from dataplatform.retry import Retrier, RetryPolicy
from dataplatform.schemas import CART_EVENTS, Table
from dataplatform.source import SourceClient
from eydp.environment import Context
from eydp.provision.messaging import differing, wanted_subscriptions
from eydp.provision.plan import plan_table, refuse_other_location

_TIMEOUT_SECONDS = 5.0
_ONCE: dict[str, Any] = {"timeout": _TIMEOUT_SECONDS, "retry": None}


class LackingError(ConfigurationError):
    """The dependency is there, and this account lacks permissions that the platform needs."""


class Probes:
    """Asks with clients that are made when they are first needed. Make it inside the running event loop.

    A probe ends without an error when all is well. It raises a `PlatformError` when the dependency is not as it should
    be, and the client's own error when it does not answer, does not exist or refuses.
    """

    def __init__(self, context: Context) -> None:
        self._platform = context.platform
        self._emulators = context.emulators
        self._source = context.source

    @functools.cached_property
    def _bigquery(self) -> Any:
        return clients.bigquery_client(self._platform, self._emulators)

    @functools.cached_property
    def _storage(self) -> Any:
        return clients.storage_client(self._platform, self._emulators)

    @functools.cached_property
    def _publisher(self) -> Any:
        return clients.publisher_client(self._emulators)

    @functools.cached_property
    def _subscriber(self) -> Any:
        return clients.subscriber_client(self._emulators)

    @functools.cached_property
    def _writer(self) -> Any:
        return clients.write_client(self._emulators)

    async def close(self) -> None:
        """Close the clients that were made."""
        made = vars(self)
        for name in ("_bigquery", "_storage"):
            if name in made:
                made[name].close()
        for name in ("_publisher", "_subscriber", "_writer"):
            if name in made:
                await made[name].transport.close()

    async def source(self) -> None:
        """Fetch one product."""
        short = self._source.model_copy(update={"total_timeout_seconds": _TIMEOUT_SECONDS})
        retrier = Retrier(RetryPolicy(deadline_seconds=_TIMEOUT_SECONDS), SystemClock())
        async with aiohttp.ClientSession() as session:
            await SourceClient(session, short, retrier).get_list("/products?limit=1")

    async def bucket(self) -> None:
        """Look at the bucket. The emulator keeps no location and knows no permissions."""
        found = await asyncio.to_thread(lambda: self._storage.get_bucket(self._platform.bucket_name, **_ONCE))
        if self._emulators.storage_emulator_host:
            return
        refuse_other_location(f"bucket {self._platform.bucket_name}", found.location, self._platform.location)
        wanted = [f"storage.objects.{verb}" for verb in ("create", "get", "list")]
        _refuse_lacking(
            wanted, await asyncio.to_thread(lambda: found.test_iam_permissions(wanted, timeout=_TIMEOUT_SECONDS))
        )

    async def dataset(self, name: str) -> None:
        """Look at a dataset and where it is."""
        found = await asyncio.to_thread(lambda: self._bigquery.get_dataset(name, **_ONCE))
        refuse_other_location(f"dataset {name}", found.location, self._platform.location)

    async def table(self, table: Table) -> None:
        """Compare a table with its schema, and ask whether rows may be read and written."""
        name = self._platform.raw_table(table.name)
        found = await asyncio.to_thread(lambda: self._bigquery.get_table(name, **_ONCE))
        plan = plan_table(table, name, found.to_api_repr())
        if plan.changes:
            raise _differs("; ".join(step.detail for step in plan.steps))
        wanted = ["bigquery.tables.getData", "bigquery.tables.updateData"]
        answer = await asyncio.to_thread(lambda: self._bigquery.test_iam_permissions(found.reference, wanted, **_ONCE))
        _refuse_lacking(wanted, answer.get("permissions", ()))

    async def jobs(self) -> None:
        """Start a query that reads nothing and costs nothing."""
        from google.cloud import bigquery

        config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
        await asyncio.to_thread(lambda: self._bigquery.query("select 1", job_config=config, job_retry=None, **_ONCE))

    async def write_api(self) -> None:
        """Look at the default stream of the events' table, over gRPC as appends go."""
        platform = self._platform
        table = f"projects/{platform.project}/datasets/{platform.dataset_raw}/tables/{CART_EVENTS.name}"
        await self._writer.get_write_stream(name=f"{table}/streams/_default", **_ONCE)

    async def topic(self, name: str) -> None:
        """Look at a topic, and ask whether messages may be published."""
        await self._publisher.get_topic(topic=name, **_ONCE)
        await _refuse_unpermitted(self._publisher, name, "pubsub.topics.publish")

    async def subscription(self, wanted: types.Subscription) -> None:
        """Compare a subscription with what it should be, and ask whether messages may be pulled."""
        found = await self._subscriber.get_subscription(subscription=wanted.name, **_ONCE)
        if fields := differing(found, wanted):
            raise _differs(", ".join(fields))
        await _refuse_unpermitted(self._subscriber, wanted.name, "pubsub.subscriptions.consume")

    def subscriptions(self) -> Iterable[types.Subscription]:
        """Return the subscriptions as they should be.

        Raises:
            ConfigurationError: a setting of the poller is wrong.
        """
        return wanted_subscriptions(self._platform, ordering=settings.load(PollerSettings).ordering_keys)


def _differs(detail: str) -> ConfigurationError:
    return ConfigurationError(f"is not as it should be ({detail}): run `eydp provision`")


async def _refuse_unpermitted(client: Any, resource: str, permission: str) -> None:
    request = {"resource": resource, "permissions": [permission]}
    answer = await client.test_iam_permissions(request=request, **_ONCE)
    _refuse_lacking([permission], answer.permissions)


def _refuse_lacking(wanted: Iterable[str], given: Iterable[str]) -> None:
    if lacking := sorted(set(wanted) - set(given)):
        raise LackingError(f"this account lacks {', '.join(lacking)}")
