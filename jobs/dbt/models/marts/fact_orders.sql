{{
    config(
        partition_by={'field': 'order_date', 'data_type': 'date', 'granularity': 'day'},
        cluster_by=['product_id', 'user_id']
    )
}}

with

lines as (

    select * from {{ ref('int_cart_lines') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

users as (

    select * from {{ ref('dim_users') }}

),

final as (

    select
        -- ids
        lines.line_key as order_key,
        lines.source,
        lines.cart_id,
        lines.version as cart_version,
        lines.event_id,
        lines.user_id,
        coalesce(users.user_key, {{ unknown_key() }}) as user_key,
        lines.product_id,
        coalesce(products.product_key, {{ unknown_key() }}) as product_key,

        -- dates
        coalesce(date(lines.cart_date), {{ unknown_date() }}) as order_date,

        -- numbers
        lines.quantity,
        products.price as unit_price,
        lines.quantity * products.price as amount,

        -- timestamps
        lines.observed_at

    from lines
    left join products
        on {{ entity_key('lines.source', 'lines.product_id') }} = products.product_key
    left join users
        on {{ entity_key('lines.source', 'lines.user_id') }} = users.user_key

)

select
    order_key,
    source,
    cart_id,
    cart_version,
    event_id,
    user_id,
    user_key,
    product_id,
    product_key,
    order_date,
    quantity,
    unit_price,
    amount,
    observed_at

from final
