-- The events of staging and of fact_cart_events are the same, each once: none lost by the look-back, none doubled.
{{ config(store_failures=true) }}
with

staged as (

    select
        event_id,
        1 as staged,
        0 as counted

    from {{ ref('stg_cart_events') }}

),

counted as (

    select
        event_id,
        0 as staged,
        1 as counted

    from {{ ref('fact_cart_events') }}

),

both_sides as (

    select * from staged
    union all
    select * from counted

)

select
    event_id,
    sum(staged) as times_staged,
    sum(counted) as times_counted

from both_sides
group by event_id
having sum(staged) != 1 or sum(counted) != 1
