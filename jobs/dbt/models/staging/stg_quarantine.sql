with

source as (

    select * from {{ source('raw', 'quarantine') }}

),

-- The original bytes stay in raw: they hold fields that no one has classified.
renamed as (

    select
        -- ids
        quarantine_id,
        message_id,

        -- strings
        entity,
        stage,
        reason,
        detail,
        source,

        -- numbers
        delivery_attempt,

        -- timestamps
        published_at,
        quarantined_at,

        -- the object
        raw_uri

    from source

),

-- A run that is repeated may quarantine a record again under its id: the first row stands for it.
final as (

    select *
    from renamed
    where true
    qualify row_number() over (partition by quarantine_id order by quarantined_at, raw_uri) = 1

)

select * from final
