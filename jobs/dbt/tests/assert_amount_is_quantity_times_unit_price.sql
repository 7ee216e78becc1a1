-- Every amount is quantity times unit price, to the last digit, and null exactly when the price is.
{{ config(store_failures=true) }}
select
    order_key,
    quantity,
    unit_price,
    amount

from {{ ref('fact_orders') }}
where amount is distinct from quantity * unit_price
