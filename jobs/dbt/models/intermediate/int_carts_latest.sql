with

events as (

    select * from {{ ref('stg_cart_events') }}

),

-- By version, never by arrival: events come late and out of order. A new epoch starts its versions at 1 again.
final as (

    select
        -- ids
        cart_key,
        source,
        cart_id,
        epoch,
        version,
        event_id,
        user_id,

        -- booleans
        event_type = 'cart_deleted' as is_deleted,

        -- numbers
        total_items,

        -- lines
        products,

        -- timestamps
        cart_date,
        observed_at

    from events
    where true
    qualify row_number() over (partition by cart_key order by epoch desc, version desc) = 1

)

select * from final
