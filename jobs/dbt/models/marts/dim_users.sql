with

users as (

    select * from {{ ref('stg_users') }}

),

known as (

    select
        user_key,
        user_id,
        source,
        -- Spelling differences of one address must not make two people.
        to_hex(sha256(lower(trim(email)))) as email_sha256,
        city,
        ingested_at as loaded_at

    from users

),

unknown as (

    select
        {{ unknown_key() }} as user_key,
        cast(null as int64) as user_id,
        {{ unknown_key() }} as source,
        cast(null as string) as email_sha256,
        'unknown' as city,
        cast(null as timestamp) as loaded_at

),

final as (

    select * from known
    union all
    select * from unknown

)

select
    user_key,
    user_id,
    source,
    email_sha256,
    city,
    loaded_at

from final
