"""Start-up checks: bucket and tables are there and may be used, or one sentence says what is missing."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from google.api_core import exceptions as google

from batch_ingest.entities import Entity
from dataplatform import schemas
from dataplatform.errors import ConfigurationError
from dataplatform.retry import Retrier
from dataplatform.settings import PlatformSettings


async def verify(
    platform: PlatformSettings, entities: Iterable[Entity], storage: Any, bigquery: Any, retry: Retrier
) -> None:
    """Look for the bucket and the raw tables, with blocking clients.

    Raises:
        ConfigurationError: one is missing or may not be used; the sentence names it and the permission.
        UnavailableError: a service did not answer within the retry deadline.
    """
    timeout = platform.request_timeout_seconds

    def bucket() -> None:
        storage.get_bucket(platform.bucket_name, timeout=timeout, retry=None)

    await _there(f"bucket {platform.bucket_name}", "storage.buckets.get", bucket, retry)
    tables = [table for entity in entities for table in (entity.table, entity.load_table)]
    for table in (*tables, schemas.QUARANTINE, schemas.LOAD_AUDIT):
        name = platform.raw_table(table.name)

        def look(name: str = name) -> None:
            bigquery.get_table(name, timeout=timeout, retry=None)

        await _there(f"table {name}", "bigquery.tables.get", look, retry)


async def _there(resource: str, permission: str, look: Callable[[], None], retry: Retrier) -> None:
    try:
        await retry(f"looking for {resource}", lambda: asyncio.to_thread(look))
    except google.NotFound as error:
        raise ConfigurationError(f"{resource} does not exist: create it with `eydp provision`") from error
    except (google.Forbidden, google.Unauthorized) as error:
        raise ConfigurationError(
            f"{resource} may not be used: grant {permission} to this program's service account, "
            "or create it with `eydp provision` if it does not exist"
        ) from error
