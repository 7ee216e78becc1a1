with

carts as (

    select * from {{ ref('int_carts_latest') }}
    where not is_deleted

),

lines as (

    select
        carts.cart_key,
        carts.source,
        carts.cart_id,
        carts.version,
        carts.event_id,
        carts.user_id,
        carts.cart_date,
        carts.observed_at,
        line.product_id,
        coalesce(line.quantity, 0) as quantity

    from carts
    cross join unnest(carts.products) as line

),

-- The shop may list one product twice in a cart.
final as (

    select
        -- ids
        -- A line without a product id is still a sale: it gets a key, and later the unknown product.
        concat(cart_key, ':', coalesce(cast(product_id as string), 'none')) as line_key,
        cart_key,
        source,
        cart_id,
        version,
        event_id,
        user_id,
        product_id,

        -- numbers
        sum(quantity) as quantity,

        -- timestamps
        cart_date,
        observed_at

    from lines
    group by cart_key, source, cart_id, version, event_id, user_id, product_id, cart_date, observed_at

)

select * from final
