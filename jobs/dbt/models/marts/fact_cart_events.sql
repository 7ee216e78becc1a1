-- What only an incremental run reads.
-- depends_on: {{ ref('snap_products') }}
-- depends_on: {{ ref('snap_users') }}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_rows',
        unique_key='event_id',
        meta={'replaced_column': 'event_id', 'replaced_keys': 'computed_events'},
        on_schema_change='append_new_columns',
        partition_by={'field': 'observed_date', 'data_type': 'date', 'granularity': 'day'},
        cluster_by=['source', 'cart_id']
    )
}}
{%- set window = event_window(this, 'observed_at') %}

with

arrived as (

    select
        event_id,
        cart_key,
        source,
        cart_id,
        epoch,
        version as cart_version,
        event_type,
        user_id,
        cart_date,
        observed_at,
        products as lines

    from {{ ref('stg_cart_events') }}
    where {{ time_in_window('observed_at', window) }}

),

{% if is_incremental() -%}
-- The carts of which a run has something to say: an event that is new here, or a price or user that is.
touched as (

    select arrived.cart_key
    from arrived
    left join {{ this }} as known
        on
            arrived.event_id = known.event_id
            and {{ day_in_window('known.observed_date', window) }}
    where known.event_id is null
    {%- if lookups_changed(window) %}
    union distinct
    select known.cart_key
    from {{ this }} as known
    left join {{ ref('dim_users') }} as users
        on {{ entity_key('known.source', 'known.user_id') }} = users.user_key
    where known.user_key != coalesce(users.user_key, {{ unknown_key() }})
    union distinct
    select known.cart_key
    from {{ this }} as known
    cross join unnest(known.lines) as line
    inner join {{ ref('snap_products') }} as changed
        on {{ entity_key('known.source', 'line.product_id') }} = changed.product_key
    where
        changed.dbt_valid_from >= timestamp '{{ window[0] }} 00:00:00+00'
        and (known.observed_at >= changed.dbt_valid_from or known.lines_without_price > 0)
    {%- endif %}

),

known as (

    select known.*
    from {{ this }} as known
    inner join touched
        on known.cart_key = touched.cart_key

),

-- A cart's older events count too: they say what it was before.
events as (

    select arrived.*
    from arrived
    inner join touched
        on arrived.cart_key = touched.cart_key
    union all
    select
        event_id,
        cart_key,
        source,
        cart_id,
        epoch,
        cart_version,
        event_type,
        user_id,
        cart_date,
        observed_at,
        lines

    from known
    where not ({{ day_in_window('observed_date', window) }})

),
{%- else -%}
events as (

    select * from arrived

),
{%- endif %}

priced_lines as (

    select
        events.event_id,
        line.quantity,
        line.quantity * prices.price as amount

    from events
    cross join unnest(events.lines) as line
    left join {{ ref('int_product_prices') }} as prices
        on
            {{ entity_key('events.source', 'line.product_id') }} = prices.product_key
            and events.observed_at >= prices.valid_from
            and events.observed_at < prices.valid_to

),

totals as (

    select
        event_id,
        sum(coalesce(quantity, 0)) as items,
        sum(coalesce(amount, 0)) as amount,
        countif(amount is null) as lines_without_price

    from priced_lines
    group by event_id

),

valued as (

    select
        events.event_id,
        events.cart_key,
        events.source,
        events.cart_id,
        events.epoch,
        events.cart_version,
        events.event_type,
        events.user_id,
        coalesce(users.user_key, {{ unknown_key() }}) as user_key,
        events.cart_date,
        events.observed_at,
        events.lines,
        coalesce(totals.items, 0) as items_after,
        coalesce(totals.amount, cast(0 as numeric)) as amount_after,
        coalesce(totals.lines_without_price, 0) as lines_without_price

    from events
    left join totals
        on events.event_id = totals.event_id
    left join {{ ref('dim_users') }} as users
        on {{ entity_key('events.source', 'events.user_id') }} = users.user_key

),

final as (

    select
        -- ids
        event_id,
        cart_key,
        source,
        cart_id,
        epoch,
        cart_version,
        user_id,
        user_key,

        -- strings
        event_type,

        -- numbers
        coalesce(lag(items_after) over versions, 0) as items_before,
        items_after,
        coalesce(lag(amount_after) over versions, cast(0 as numeric)) as amount_before,
        amount_after,
        lines_without_price,

        -- lines
        lines,

        -- dates and timestamps
        date(observed_at) as observed_date,
        cart_date,
        observed_at,
        min(observed_at) over (partition by cart_key) as first_seen_at

    from valued
    window versions as (partition by cart_key order by epoch, cart_version)

)

select
    final.event_id,
    final.cart_key,
    final.source,
    final.cart_id,
    final.epoch,
    final.cart_version,
    final.user_id,
    final.user_key,
    final.event_type,
    final.items_before,
    final.items_after,
    final.amount_before,
    final.amount_after,
    final.lines_without_price,
    final.lines,
    final.observed_date,
    final.cart_date,
    final.observed_at,
    final.first_seen_at

-- What would be written as it is stays unwritten, and its partition untouched. -- noqa: disable=layout.indent
from final
{%- if is_incremental() %}
left join known
    on final.event_id = known.event_id
where known.event_id is null
    or known.user_key != final.user_key
    or known.items_before != final.items_before
    or known.amount_before != final.amount_before
    or known.amount_after != final.amount_after
    or known.lines_without_price != final.lines_without_price
    or known.first_seen_at != final.first_seen_at
{%- endif %}
