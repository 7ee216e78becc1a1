with

states as (

    select * from {{ ref('snap_products') }}

),

loaded as (

    select * from {{ ref('stg_products') }}

),

-- The last state of each product, of those that the shop took away too: their orders stay.
latest as (

    select *
    from states
    where true
    qualify row_number() over (partition by product_key order by dbt_valid_from desc) = 1

),

known as (

    select
        latest.product_key,
        latest.product_id,
        latest.source,
        latest.title,
        latest.category,
        latest.price,
        latest.rating_rate,
        latest.rating_count,
        latest.image_url,
        loaded.product_key is not null as is_active,
        coalesce(loaded.ingested_at, latest.ingested_at) as loaded_at

    from latest
    left join loaded
        on latest.product_key = loaded.product_key

),

unknown as (

    select
        {{ unknown_key() }} as product_key,
        cast(null as int64) as product_id,
        {{ unknown_key() }} as source,
        'Unknown product' as title,
        'unknown' as category,
        cast(null as numeric) as price,
        cast(null as float64) as rating_rate,
        cast(null as int64) as rating_count,
        cast(null as string) as image_url,
        false as is_active,
        cast(null as timestamp) as loaded_at

),

final as (

    select * from known
    union all
    select * from unknown

)

select
    product_key,
    product_id,
    source,
    title,
    category,
    price,
    rating_rate,
    rating_count,
    image_url,
    is_active,
    loaded_at

from final
