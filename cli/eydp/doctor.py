"""One line for each dependency: does it answer, may it be used, and if not, what mends it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
from google.api_core import exceptions as google

from dataplatform import clients
from dataplatform.clock import SystemClock
from dataplatform.errors import PlatformError
from dataplatform.retry import Retrier, RetryPolicy, describe
from dataplatform.schemas import RAW_TABLES
from dataplatform.source import SourceClient
from eydp.environment import Context

_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check; `mend` is empty when it passed."""

    what: str
    mend: str = ""

    @property
    def ok(self) -> bool:
        """Return whether the check passed."""
        return not self.mend


async def examine(context: Context) -> list[Finding]:
    """Check every dependency, side by side, each with a short deadline."""
    platform = context.platform
    bigquery = clients.bigquery_client(platform, context.emulators)
    storage = clients.storage_client(platform, context.emulators)
    publisher, subscriber = clients.publisher_client(context.emulators), clients.subscriber_client(context.emulators)

    def blocking(call: Callable[..., Any], *args: Any) -> Callable[[], Awaitable[Any]]:
        return lambda: asyncio.to_thread(call, *args, timeout=_TIMEOUT_SECONDS, retry=None)

    checks: list[tuple[str, Callable[[], Awaitable[Any]]]] = [
        (f"source {context.source.url}", lambda: _source(context)),
        (f"bucket {platform.bucket_name}", blocking(storage.get_bucket, platform.bucket_name)),
        *(
            (f"dataset {name}", blocking(bigquery.get_dataset, f"{platform.project}.{name}"))
            for name in (platform.dataset_raw, platform.dataset_analytics)
        ),
        *(
            (f"table {platform.raw_table(table.name)}", blocking(bigquery.get_table, platform.raw_table(table.name)))
            for table in RAW_TABLES
        ),
        (
            f"topic {platform.topic_path}",
            lambda: publisher.get_topic(topic=platform.topic_path, retry=None, timeout=_TIMEOUT_SECONDS),
        ),
        (
            f"subscription {platform.subscription_path}",
            lambda: subscriber.get_subscription(
                subscription=platform.subscription_path, retry=None, timeout=_TIMEOUT_SECONDS
            ),
        ),
    ]
    return list(await asyncio.gather(*(_check(what, look) for what, look in checks)))


async def _source(context: Context) -> None:
    retrier = Retrier(RetryPolicy(deadline_seconds=_TIMEOUT_SECONDS), SystemClock())
    async with aiohttp.ClientSession() as session:
        await SourceClient(session, context.source, retrier).get_list("/products?limit=1")


async def _check(what: str, look: Callable[[], Awaitable[Any]]) -> Finding:
    try:
        await look()
    except google.NotFound:
        return Finding(what, "does not exist; `eydp provision` creates it")
    except (google.Forbidden, google.Unauthorized) as error:
        return Finding(what, f"may not be used; grant this account the role that docs/iam.md names ({describe(error)})")
    except PlatformError as error:
        return Finding(what, str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is becomes a line of the report
        return Finding(
            what, f"does not answer ({describe(error)}); is the stack up (`eydp status`) or the network open?"
        )
    return Finding(what)
