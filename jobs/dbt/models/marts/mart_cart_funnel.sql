with

events as (

    select * from {{ ref('fact_cart_events') }}

),

-- The newest event of the shop stands for now: the same data always gives the same table.
shops as (

    select
        source,
        max(observed_at) as as_of

    from events
    group by source

),

carts as (

    select
        source,
        cart_key,
        min(first_seen_at) as first_seen_at,
        max(observed_at) as last_seen_at,
        countif(event_type = 'cart_updated') as changes,
        array_agg(event_type order by epoch desc, cart_version desc limit 1)[offset(0)] = 'cart_deleted' as is_deleted,
        array_agg(items_after order by epoch desc, cart_version desc limit 1)[offset(0)] as items,
        array_agg(amount_after order by epoch desc, cart_version desc limit 1)[offset(0)] as amount

    from events
    group by source, cart_key

),

states as (

    select
        carts.source,
        date(carts.first_seen_at) as created_date,
        carts.changes,
        carts.items,
        carts.amount,
        carts.is_deleted,
        not carts.is_deleted
        and timestamp_diff(shops.as_of, carts.last_seen_at, second)
        > {{ var('abandoned_after_days') }} * 86400 as is_abandoned

    from carts
    inner join shops
        on carts.source = shops.source

),

final as (

    select
        -- ids
        concat(source, ':', cast(created_date as string)) as day_key,
        source,
        created_date,

        -- numbers
        count(*) as created,
        countif(changes > 0) as changed,
        countif(is_deleted) as deleted,
        countif(is_abandoned) as abandoned,
        countif(not is_deleted and not is_abandoned) as active,
        sum(changes) as changes,
        sum(items) as items,
        sum(amount) as amount

    from states
    group by source, created_date

)

select
    day_key,
    source,
    created_date,
    created,
    changed,
    deleted,
    abandoned,
    active,
    changes,
    items,
    amount

from final
