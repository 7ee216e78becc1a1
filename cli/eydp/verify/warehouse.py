"""What the raw tables and the marts hold."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from dataplatform.settings import PlatformSettings
from dataplatform.warehouse import Warehouse
from eydp.verify.reconcile import CartTotal, Totals

# Names of datasets come from validated settings, the shop's name goes in as a parameter.
_RAW = """
    select
        (select count(*) from `{raw}.Products` where source = @source and _deleted is not true) as products,
        (select sum(price) from `{raw}.Products` where source = @source and _deleted is not true) as prices,
        (select run_id from ({last}) where entity = 'products') as products_run,
        (select count(*) from `{raw}.Users` where source = @source and _deleted is not true) as users,
        (select run_id from ({last}) where entity = 'users') as users_run,
        (select count(distinct event_id) from `{raw}.carts_events` where source = @source) as events,
        (select count(*) from ({latest}) where event_type != 'cart_deleted') as cart_count
"""
#: The batch run of each entity that was loaded last.
_LAST = """
    select entity, run_id
    from `{raw}.load_audit`
    where outcome = 'loaded' and entity in ('products', 'users')
    qualify row_number() over (partition by entity order by finished_at desc) = 1
"""
#: The newest version of each cart, found without dbt.
_LATEST = """
    select cart_id, event_type, products
    from `{raw}.carts_events`
    where source = @source
    qualify row_number() over (partition by cart_id order by epoch desc, version desc) = 1
"""
_RAW_CARTS = """
    with lines as (
        select latest.cart_id, line.product_id, sum(line.quantity) as quantity
        from ({latest}) as latest
        cross join unnest(latest.products) as line
        where latest.event_type != 'cart_deleted'
        group by latest.cart_id, line.product_id
    )
    select
        lines.cart_id,
        count(*) as line_count,
        sum(lines.quantity) as items,
        sum(lines.quantity * products.price) as amount
    from lines
    left join (select id, price from `{raw}.Products` where source = @source and _deleted is not true) as products
        on products.id = lines.product_id
    group by lines.cart_id
"""
_MARTS = """
    select
        (select count(*) from `{marts}.dim_products` where source = @source and is_active) as products,
        (select sum(price) from `{marts}.dim_products` where source = @source and is_active) as prices,
        (select count(*) from `{marts}.dim_users` where source = @source and is_active) as users,
        (select count(*) from `{marts}.stg_cart_events` where source = @source) as events,
        (select count(*) from `{marts}.int_carts_latest` where source = @source and not is_deleted) as cart_count
"""
#: At the prices of today, as the shop has no others: fact_orders keeps the price at which a cart was seen.
_MARTS_CARTS = """
    select
        orders.cart_id,
        count(*) as line_count,
        sum(orders.quantity) as items,
        sum(orders.quantity * if(products.is_active, products.price, null)) as amount
    from `{marts}.fact_orders` as orders
    left join `{marts}.dim_products` as products
        on products.product_key = orders.product_key
    where orders.source = @source
    group by orders.cart_id
"""


async def read_raw(
    warehouse: Warehouse, platform: PlatformSettings, source: str
) -> tuple[Totals, dict[str, str | None]]:
    """Return what the raw tables hold of a shop, and which batch run of products and users was loaded last.

    Raises:
        google.api_core.exceptions.NotFound: a table is missing.
    """
    raw = f"{platform.project}.{platform.dataset_raw}"
    latest = _LATEST.format(raw=raw)
    counts = (await _ask(warehouse, _RAW.format(raw=raw, latest=latest, last=_LAST.format(raw=raw)), source))[0]
    carts = await _ask(warehouse, _RAW_CARTS.format(raw=raw, latest=latest), source)
    runs = {entity: counts[f"{entity}_run"] for entity in ("products", "users")}
    return _totals(counts, carts), runs


async def read_marts(warehouse: Warehouse, platform: PlatformSettings, source: str) -> Totals:
    """Return what the marts hold of a shop.

    Raises:
        google.api_core.exceptions.NotFound: a model was not built.
    """
    marts = f"{platform.project}.{platform.dataset_analytics}"
    counts = (await _ask(warehouse, _MARTS.format(marts=marts), source))[0]
    return _totals(counts, await _ask(warehouse, _MARTS_CARTS.format(marts=marts), source))


async def _ask(warehouse: Warehouse, query: str, source: str) -> list[dict[str, Any]]:
    from google.cloud import bigquery

    return await warehouse.query(query, [bigquery.ScalarQueryParameter("source", "STRING", source)])


def _totals(counts: Mapping[str, Any], carts: Sequence[Mapping[str, Any]]) -> Totals:
    return Totals(
        products=int(counts["products"]),
        users=int(counts["users"]),
        prices=Decimal(counts["prices"] or 0),
        cart_count=int(counts["cart_count"]),
        carts={
            int(row["cart_id"]): CartTotal(int(row["line_count"]), int(row["items"]), Decimal(row["amount"] or 0))
            for row in carts
        },
        events=int(counts["events"]),
    )
