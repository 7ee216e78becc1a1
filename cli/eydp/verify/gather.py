"""The verification from end to end: read every place, compare."""

import asyncio

from google.api_core.exceptions import NotFound

from dataplatform import clients
from dataplatform.clock import SystemClock
from dataplatform.errors import ConfigurationError
from dataplatform.rawzone import RawZone
from dataplatform.retry import Retrier, RetryPolicy, describe
from dataplatform.warehouse import Warehouse
from eydp.environment import Context
from eydp.verify.archive import read_archive
from eydp.verify.reconcile import Check, reconcile
from eydp.verify.source import read_source
from eydp.verify.warehouse import read_marts, read_raw

#: A person waits: shorter than what programs bear.
_RETRY_SECONDS = 20.0


async def verify(context: Context) -> list[Check]:
    """Read source, raw zone, raw tables and marts, and compare them.

    Raises:
        ConfigurationError: a bucket, table or model is missing, or may not be read.
        UnavailableError: a place does not answer.
        InvalidDataError: an object of the raw zone can't be read.
    """
    retrier = Retrier(RetryPolicy(min(_RETRY_SECONDS, context.platform.retry_deadline_seconds)), SystemClock())
    timeout = context.platform.request_timeout_seconds
    storage = clients.storage_client(context.platform, context.emulators)
    bigquery = clients.bigquery_client(context.platform, context.emulators)
    zone = RawZone(storage, context.platform.bucket_name, retrier, timeout_seconds=timeout)
    warehouse = Warehouse(bigquery, retrier, component="verify", timeout_seconds=timeout)
    name = context.source.name
    try:
        raw, runs = await read_raw(warehouse, context.platform, name)
        source, archive, marts = await asyncio.gather(
            read_source(context.source, retrier),
            read_archive(zone, runs, name),
            read_marts(warehouse, context.platform, name),
        )
    except NotFound as error:
        raise ConfigurationError(
            "something to verify is missing: run `eydp provision`, `eydp batch` and `eydp dbt build` first "
            f"({describe(error)})"
        ) from error
    finally:
        storage.close()
        bigquery.close()
    return reconcile(source, archive, raw, marts)
