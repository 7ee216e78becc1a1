with

orders as (

    select * from {{ ref('fact_orders') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

sold as (

    select
        product_key,
        count(distinct cart_key) as carts,
        count(distinct if(user_key = {{ unknown_key() }}, null, user_key)) as customers,
        sum(quantity) as items,
        sum(coalesce(amount, 0)) as revenue,
        countif(amount is null) as lines_without_price,
        nullif(min(order_date), {{ unknown_date() }}) as first_order_date,
        nullif(max(order_date), {{ unknown_date() }}) as last_order_date

    from orders
    group by product_key

),

-- Products that nobody bought are in it: they are the ones to look for.
final as (

    select
        -- ids
        products.product_key,
        products.source,
        products.product_id,

        -- strings
        products.title,
        products.category,

        -- booleans
        products.is_active,

        -- numbers
        products.price as current_price,
        coalesce(sold.carts, 0) as carts,
        coalesce(sold.customers, 0) as customers,
        coalesce(sold.items, 0) as items,
        coalesce(sold.revenue, cast(0 as numeric)) as revenue,
        coalesce(sold.lines_without_price, 0) as lines_without_price,

        -- dates
        sold.first_order_date,
        sold.last_order_date

    from products
    left join sold
        on products.product_key = sold.product_key

)

select
    product_key,
    source,
    product_id,
    title,
    category,
    is_active,
    current_price,
    carts,
    customers,
    items,
    revenue,
    lines_without_price,
    first_order_date,
    last_order_date,
    -- Within the shop; products with the same revenue share a rank.
    rank() over (partition by source order by revenue desc) as revenue_rank

from final
