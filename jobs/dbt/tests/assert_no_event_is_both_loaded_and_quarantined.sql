-- Each delivery of an event is in exactly one place: in the raw table or in quarantine.
{{ config(severity='warn', store_failures=true) }}
select
    events.event_id,
    quarantine.quarantine_id,
    quarantine.reason

from {{ ref('stg_cart_events') }} as events
inner join {{ ref('stg_quarantine') }} as quarantine
    on events.message_id = quarantine.message_id
where quarantine.stage != 'dead_letter'
