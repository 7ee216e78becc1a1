with

source as (

    select * from {{ source('raw', 'carts_events') }}

),

renamed as (

    select
        -- ids
        event_id,
        {{ entity_key('source', 'cart_id') }} as cart_key,
        source,
        cart_id,
        epoch,
        version,
        user_id,

        -- strings
        event_type,

        -- numbers
        schema_version,
        total_items,

        -- lines
        products,

        -- timestamps
        cart_date,
        observed_at,
        published_at,
        ingested_at,

        -- the delivery
        message_id,
        raw_uri

    from source

),

-- Pub/Sub delivers at least once and the consumer may append twice: the first delivery stands for the event.
-- observed_at is part of the event, the same in each copy. It is named so that BigQuery passes a filter on it through
-- to the raw table, which is partitioned by it: through a window function it passes only filters on these columns.
final as (

    select *
    from renamed
    where true
    qualify row_number() over (partition by observed_at, event_id order by ingested_at, message_id) = 1

)

select * from final
