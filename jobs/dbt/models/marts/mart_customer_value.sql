with

orders as (

    select * from {{ ref('fact_orders') }}

),

users as (

    select * from {{ ref('dim_users') }}

),

-- The newest order of the shop stands for today: the same data always gives the same table.
shops as (

    select
        source,
        max(order_date) as as_of_date

    from orders
    where order_date != {{ unknown_date() }}
    group by source

),

bought as (

    select
        user_key,
        nullif(min(order_date), {{ unknown_date() }}) as first_order_date,
        nullif(max(order_date), {{ unknown_date() }}) as last_order_date,
        count(distinct cart_key) as frequency,
        sum(quantity) as items,
        sum(coalesce(amount, 0)) as monetary

    from orders
    where user_key != {{ unknown_key() }}
    group by user_key

),

final as (

    select
        -- ids
        bought.user_key,
        users.source,
        users.user_id,

        -- strings
        users.city,

        -- booleans
        users.is_active,

        -- dates
        bought.first_order_date,
        bought.last_order_date,

        -- numbers
        date_diff(shops.as_of_date, bought.last_order_date, day) as recency_days,
        bought.frequency,
        bought.items,
        bought.monetary

    from bought
    inner join users
        on bought.user_key = users.user_key
    left join shops
        on users.source = shops.source

)

select
    user_key,
    source,
    user_id,
    city,
    is_active,
    first_order_date,
    last_order_date,
    recency_days,
    frequency,
    items,
    monetary,
    -- 5 is best. The key breaks ties, so that the same data always gives the same scores.
    ntile(5) over (partition by source order by recency_days desc, user_key asc) as recency_score,
    ntile(5) over (partition by source order by frequency, user_key) as frequency_score,
    ntile(5) over (partition by source order by monetary, user_key) as monetary_score

from final
