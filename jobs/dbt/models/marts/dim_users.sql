with

states as (

    select * from {{ ref('snap_users') }}

),

loaded as (

    select * from {{ ref('int_user_attributes') }}

),

-- The last state of each user, of those that the shop no longer has too: their orders stay.
latest as (

    select *
    from states
    where true
    qualify row_number() over (partition by user_key order by dbt_valid_from desc) = 1

),

known as (

    select
        latest.user_key,
        latest.user_id,
        latest.source,
        latest.email_sha256,
        latest.city,
        loaded.user_key is not null as is_active,
        coalesce(loaded.ingested_at, latest.ingested_at) as loaded_at

    from latest
    left join loaded
        on latest.user_key = loaded.user_key

),

unknown as (

    select
        {{ unknown_key() }} as user_key,
        cast(null as int64) as user_id,
        {{ unknown_key() }} as source,
        cast(null as string) as email_sha256,
        'unknown' as city,
        false as is_active,
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
    is_active,
    loaded_at

from final
