-- A cart whose latest version is its deletion has no order.
{{ config(store_failures=true) }}
select
    orders.order_key,
    carts.cart_key,
    carts.version

from {{ ref('fact_orders') }} as orders
inner join {{ ref('int_carts_latest') }} as carts
    on orders.source = carts.source and orders.cart_id = carts.cart_id
where carts.is_deleted
