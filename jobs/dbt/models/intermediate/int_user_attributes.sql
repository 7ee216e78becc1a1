with

users as (

    select * from {{ ref('stg_users') }}

),

final as (

    select
        -- ids
        user_key,
        source,
        user_id,

        -- strings
        -- Spelling differences of one address must not make two people.
        to_hex(sha256(lower(trim(email)))) as email_sha256,
        city,

        -- timestamps
        ingested_at,
        valid_from

    from users

)

select * from final
