with

history as (

    select
        product_key,
        source,
        product_id,
        price,
        dbt_valid_from,
        row_number() over (partition by product_key order by dbt_valid_from) as version,
        lead(dbt_valid_from) over (partition by product_key order by dbt_valid_from) as next_valid_from

    from {{ ref('snap_products') }}

),

-- Without a gap: a product that was away for a while keeps its last price, and before the first the first counts.
final as (

    select
        -- ids
        product_key,
        source,
        product_id,

        -- numbers
        price,

        -- timestamps
        if(version = 1, timestamp '0001-01-01 00:00:00+00', dbt_valid_from) as valid_from,
        coalesce(next_valid_from, timestamp '9999-12-31 00:00:00+00') as valid_to

    from history

)

select * from final
