-- What only an incremental run reads.
-- depends_on: {{ ref('snap_products') }}
-- depends_on: {{ ref('snap_users') }}
-- depends_on: {{ ref('dim_users') }}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        unique_key='order_key',
        meta={'replaced_column': 'cart_key', 'replaced_keys': 'carts_to_order_again'},
        on_schema_change='append_new_columns',
        partition_by={'field': 'order_date', 'data_type': 'date', 'granularity': 'day'},
        cluster_by=['product_id', 'user_id']
    )
}}
{%- set window = event_window(this, 'last_seen_at') %}
{%- set oldest = oldest_latest_event(window) %}

with

events as (

    select * from {{ ref('fact_cart_events') }}
    where
        {{ day_in_window('observed_date', (oldest, none) if oldest else none) }}
        {%- if window is not none %}
        and cart_key in ({{ touched_carts(window) }})
        {%- endif %}

),

-- By version, never by arrival: events come late and out of order. A new epoch starts its versions at 1 again.
carts as (

    select *
    from events
    where true
    qualify row_number() over (partition by cart_key order by epoch desc, cart_version desc) = 1

),

-- The shop may list one product twice in a cart. A line without a product id is still a sale.
lines as (

    select
        concat(carts.cart_key, ':', coalesce(cast(line.product_id as string), 'none')) as order_key,
        carts.cart_key,
        carts.source,
        carts.cart_id,
        carts.cart_version,
        carts.event_id,
        carts.user_id,
        carts.user_key,
        line.product_id,
        carts.cart_date,
        carts.observed_at,
        carts.first_seen_at,
        sum(coalesce(line.quantity, 0)) as quantity

    from carts
    cross join unnest(carts.lines) as line
    where carts.event_type != 'cart_deleted'
    group by
        carts.cart_key, carts.source, carts.cart_id, carts.cart_version, carts.event_id, carts.user_id, carts.user_key,
        line.product_id, carts.cart_date, carts.observed_at, carts.first_seen_at

),

final as (

    select
        -- ids
        lines.order_key,
        lines.cart_key,
        lines.source,
        lines.cart_id,
        lines.cart_version,
        lines.event_id,
        lines.user_id,
        lines.user_key,
        lines.product_id,
        coalesce(prices.product_key, {{ unknown_key() }}) as product_key,

        -- strings
        '{{ var("currency") }}' as currency,

        -- dates
        coalesce(date(lines.cart_date), {{ unknown_date() }}) as order_date,

        -- numbers
        lines.quantity,
        prices.price as unit_price,
        lines.quantity * prices.price as amount,

        -- timestamps
        lines.observed_at,
        lines.first_seen_at,
        lines.observed_at as last_seen_at

    from lines
    left join {{ ref('int_product_prices') }} as prices
        on
            {{ entity_key('lines.source', 'lines.product_id') }} = prices.product_key
            and lines.observed_at >= prices.valid_from
            and lines.observed_at < prices.valid_to

)

select
    order_key,
    cart_key,
    source,
    cart_id,
    cart_version,
    event_id,
    user_id,
    user_key,
    product_id,
    product_key,
    currency,
    order_date,
    quantity,
    unit_price,
    amount,
    observed_at,
    first_seen_at,
    last_seen_at

from final
