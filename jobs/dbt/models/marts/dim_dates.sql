with

carts as (

    select * from {{ ref('int_carts_latest') }}

),

-- Whole years, from the first cart to today or the last cart, whichever is later.
bounds as (

    select
        date_trunc(coalesce(min(date(cart_date)), current_date()), year) as first_day,
        last_day(greatest(coalesce(max(date(cart_date)), current_date()), current_date()), year) as last_day

    from carts

),

days as (

    select date_day
    from bounds
    cross join unnest(generate_date_array(bounds.first_day, bounds.last_day)) as date_day
    where date_day != {{ unknown_date() }}

),

known as (

    select
        date_day,
        extract(year from date_day) as year,
        extract(quarter from date_day) as quarter,
        extract(month from date_day) as month,
        extract(day from date_day) as day_of_month,
        -- BigQuery counts from Sunday = 1; ISO 8601 from Monday = 1.
        mod(extract(dayofweek from date_day) + 5, 7) + 1 as iso_day_of_week,
        extract(isoweek from date_day) as iso_week,
        format_date('%Y-%m', date_day) as year_month,
        extract(dayofweek from date_day) in (1, 7) as is_weekend,
        true as is_known

    from days

),

unknown as (

    select
        {{ unknown_date() }} as date_day,
        cast(null as int64) as year,
        cast(null as int64) as quarter,
        cast(null as int64) as month,
        cast(null as int64) as day_of_month,
        cast(null as int64) as iso_day_of_week,
        cast(null as int64) as iso_week,
        cast(null as string) as year_month,
        cast(null as bool) as is_weekend,
        false as is_known

),

final as (

    select * from known
    union all
    select * from unknown

)

select
    date_day,
    year,
    quarter,
    month,
    day_of_month,
    iso_day_of_week,
    iso_week,
    year_month,
    is_weekend,
    is_known

from final
