with

products as (

    select * from {{ ref('stg_products') }}

),

known as (

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
        ingested_at as loaded_at

    from products

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
    loaded_at

from final
