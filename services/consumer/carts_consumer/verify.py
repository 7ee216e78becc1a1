"""Start-up checks: everything the consumer needs is there, or one sentence says what is missing and how to mend it."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

from google.api_core import exceptions as google

from carts_consumer.subscription import Subscription
from dataplatform import clients, schemas
from dataplatform.clock import Clock
from dataplatform.errors import ConfigurationError
from dataplatform.retry import Retrier, RetryPolicy
from dataplatform.settings import EmulatorSettings, PlatformSettings


async def verify(
    platform: PlatformSettings, emulators: EmulatorSettings, subscription: Subscription, clock: Clock
) -> None:
    """Look for subscription, bucket and tables.

    Raises:
        ConfigurationError: one is missing or may not be used; the sentence names it and the permission.
        UnavailableError: a service did not answer within the retry deadline.
    """
    retry = Retrier(RetryPolicy(deadline_seconds=platform.retry_deadline_seconds), clock)
    timeout = platform.request_timeout_seconds
    storage = clients.storage_client(platform, emulators)
    bigquery = clients.bigquery_client(platform, emulators)

    def bucket() -> Any:
        return storage.get_bucket(platform.bucket_name, timeout=timeout, retry=None)

    await _there(f"subscription {platform.subscription_path}", "pubsub.subscriptions.get", subscription.verify)
    await _there(
        f"bucket {platform.bucket_name}",
        "storage.buckets.get",
        lambda: retry("looking for the bucket", lambda: asyncio.to_thread(bucket)),
    )
    for table in (schemas.CART_EVENTS, schemas.QUARANTINE):
        name = platform.raw_table(table.name)
        look = functools.partial(asyncio.to_thread, bigquery.get_table, name, timeout=timeout, retry=None)
        await _there(f"table {name}", "bigquery.tables.get", functools.partial(retry, "looking for a table", look))


async def _there(resource: str, permission: str, look: Callable[[], Awaitable[Any]]) -> None:
    try:
        await look()
    except google.NotFound as error:
        raise ConfigurationError(f"{resource} does not exist: create it with `eydp provision`") from error
    except (google.Forbidden, google.Unauthorized) as error:
        raise ConfigurationError(
            f"{resource} may not be used: grant {permission} to this program's service account"
        ) from error
