with

source as (

    -- What the shop no longer has keeps its row.
    select * from {{ source('raw', 'products') }}
    where _deleted is not true

),

renamed as (

    select
        -- ids
        {{ entity_key('source', 'id') }} as product_key,
        source,
        id as product_id,

        -- strings
        trim(title) as title,
        description,
        category,
        image as image_url,

        -- numbers
        price,
        rating_rate,
        rating_count,

        -- the load
        run_id,
        raw_uri,
        ingested_at,
        -- Since when the record is as it is, or came back as it was; rows of earlier releases don't say.
        coalesce(valid_from, ingested_at) as valid_from

    from source
    -- The raw table keeps the last version of what the shop took away.
    where not coalesce(_deleted, false)

),

-- A batch load leaves one row a product. Should two loads ever overlap, the newer record counts.
final as (

    select *
    from renamed
    where true
    qualify row_number() over (partition by product_key order by ingested_at desc, run_id desc) = 1

)

select * from final
