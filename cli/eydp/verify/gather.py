"""What each place holds, read from the place itself."""

import asyncio
import gzip
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import aiohttp

from dataplatform import clients
from dataplatform.clock import SystemClock
from dataplatform.envelope import read_lines
from dataplatform.rawzone import RawZone
from dataplatform.retry import Retrier, RetryPolicy
from dataplatform.source import SourceClient
from dataplatform.warehouse import Warehouse
from eydp.environment import Context
from eydp.verify.reconcile import CartTotal, Check, SourceTotals, reconcile, source_totals

_AT_ONCE = 16


async def verify(context: Context) -> list[Check]:
    """Read source, raw zone, raw tables and marts, and compare them."""
    clock = SystemClock()
    retrier = Retrier(RetryPolicy(deadline_seconds=30), clock)
    timeout = context.platform.request_timeout_seconds
    zone = RawZone(
        clients.storage_client(context.platform, context.emulators),
        context.platform.bucket_name,
        retrier,
        timeout_seconds=timeout,
    )
    warehouse = Warehouse(
        clients.bigquery_client(context.platform, context.emulators),
        retrier,
        component="verify",
        timeout_seconds=timeout,
    )
    raw, runs = await _raw(context, warehouse)
    source, raw_zone = await asyncio.gather(_source(context, retrier), _raw_zone(zone, runs))
    return reconcile(source, raw_zone, raw, await _marts(context, warehouse))


async def _source(context: Context, retrier: Retrier) -> SourceTotals:
    async with aiohttp.ClientSession() as session:
        api = SourceClient(session, context.source, retrier)
        products, users, carts = [await api.get_list(path) for path in ("/products", "/users", "/carts")]
    return source_totals(products, users, carts)


async def _raw_zone(zone: RawZone, runs: Mapping[str, str]) -> dict[str, int]:
    counts = {"events": len(await _ids(zone, await zone.names("carts_events/"), "event_id"))}
    for entity, run in runs.items():
        names = [name for name in await zone.names(f"{entity}/") if f"/run={run}/" in name]
        counts[entity] = len(await _ids(zone, names, "id"))
    return counts


async def _ids(zone: RawZone, names: list[str], field: str) -> set[Any]:
    slots = asyncio.Semaphore(_AT_ONCE)

    async def read(name: str) -> set[Any]:
        async with slots:
            stored = await zone.read(name)
        if stored is None:
            return set()
        return {json.loads(line.payload)[field] for line in read_lines(gzip.decompress(stored.data))}

    found: set[Any] = set()
    for ids in await asyncio.gather(*(read(name) for name in names if name.endswith(".jsonl.gz"))):
        found |= ids
    return found


async def _raw(context: Context, warehouse: Warehouse) -> tuple[dict[str, int], dict[str, str]]:
    """Return the counts, and which batch run each table holds."""
    name = context.platform.raw_table
    rows = await warehouse.query(
        f"""
        select
            (select count(*) from `{name("Products")}`) as products,
            (select count(*) from `{name("Users")}`) as users,
            (select max(run_id) from `{name("Products")}`) as products_run,
            (select max(run_id) from `{name("Users")}`) as users_run,
            (select count(distinct event_id) from `{name("carts_events")}`) as events,
            (
                select count(*) from (
                    select event_type
                    from `{name("carts_events")}`
                    where true
                    qualify row_number() over (partition by source, cart_id order by epoch desc, version desc) = 1
                )
                where event_type != 'cart_deleted'
            ) as carts
        """  # noqa: S608 - names come from validated settings
    )
    found = dict(rows[0])
    runs = {entity: str(found.pop(f"{entity}_run")) for entity in ("products", "users")}
    return {key: int(value) for key, value in found.items()}, runs


async def _marts(context: Context, warehouse: Warehouse) -> dict[str, Any]:
    dataset = f"{context.platform.project}.{context.platform.dataset_analytics}"
    counts = await warehouse.query(
        f"""
        select
            (select count(*) from `{dataset}.dim_products` where product_id is not null) as products,
            (select count(*) from `{dataset}.dim_users` where user_id is not null) as users,
            (select count(*) from `{dataset}.stg_cart_events`) as events
        """  # noqa: S608 - likewise
    )
    carts = await warehouse.query(
        f"""
        select cart_id, count(*) as line_count, sum(quantity) as items, sum(amount) as amount
        from `{dataset}.fact_orders`
        group by cart_id
        """  # noqa: S608 - likewise
    )
    totals = {
        int(row["cart_id"]): CartTotal(int(row["line_count"]), int(row["items"]), Decimal(row["amount"] or 0))
        for row in carts
    }
    return {**{key: int(value) for key, value in counts[0].items()}, "carts": totals}
