with

orders as (

    select * from {{ ref('fact_orders') }}

),

final as (

    select
        -- ids
        concat(source, ':', cast(order_date as string)) as day_key,
        source,
        order_date,

        -- numbers
        count(distinct cart_key) as carts,
        count(distinct if(user_key = {{ unknown_key() }}, null, user_key)) as customers,
        count(*) as order_lines,
        sum(quantity) as items,
        sum(coalesce(amount, 0)) as revenue,
        countif(amount is null) as lines_without_price,
        max(currency) as currency

    from orders
    group by source, order_date

)

select
    day_key,
    source,
    order_date,
    carts,
    customers,
    order_lines,
    items,
    revenue,
    lines_without_price,
    currency,
    -- carts is never 0: each row comes from an order
    round(cast(revenue / carts as numeric), 2) as revenue_per_cart

from final
