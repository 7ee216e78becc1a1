-- Two events with different ids never state the same version of one cart: the latest version would be a matter of luck.
{{ config(store_failures=true) }}
select
    cart_key,
    epoch,
    version,
    count(*) as events

from {{ ref('stg_cart_events') }}
group by cart_key, epoch, version
having count(*) > 1
