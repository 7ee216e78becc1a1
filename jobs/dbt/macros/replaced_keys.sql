{# fact_cart_events: the events that the run computed. #}
{% macro computed_events(tmp_relation) -%}
    select event_id from {{ tmp_relation }}
{%- endmacro %}

{# fact_orders: the carts that the run looks at, whether or not any of their lines is left. #}
{% macro carts_to_order_again(tmp_relation) -%}
    {{ touched_carts(event_window(this, 'last_seen_at')) }}
{%- endmacro %}

{#
    SQL for the keys of the carts whose orders a run computes again: those with an event in the window, and those with
    a line whose price or user is another than the one it was written with.
#}
{% macro touched_carts(window) -%}
    select cart_key
    from {{ ref('fact_cart_events') }}
    where {{ day_in_window('observed_date', window) }}
    {%- if lookups_changed(window) %}
    union distinct
    select orders.cart_key
    from {{ this }} as orders
    left join {{ ref('int_product_prices') }} as prices
        on {{ entity_key('orders.source', 'orders.product_id') }} = prices.product_key
            and orders.last_seen_at >= prices.valid_from
            and orders.last_seen_at < prices.valid_to
    left join {{ ref('dim_users') }} as users
        on {{ entity_key('orders.source', 'orders.user_id') }} = users.user_key
    where orders.unit_price is distinct from prices.price
        or orders.user_key != coalesce(users.user_key, {{ unknown_key() }})
    {%- endif %}
{%- endmacro %}
