{#
    The window of event days that an incremental run reads again, as (first day, day after the last or none).
    None when everything is read: in a full refresh, or before the table exists.

    By default it starts `lookback_days` before the newest event that the table holds, so that a run that was left out
    is caught up with, and it has no end. The variables backfill_from and backfill_to (days, the last one included)
    name another range. Both ends reach the SQL as literals: only so does BigQuery read the partitions of the window
    alone.
#}
{% macro event_window(table, observed_at) -%}
    {%- if not is_incremental() -%} {{ return(none) }} {%- endif -%}
    {%- if not execute -%} {{ return(('1970-01-01', none)) }} {%- endif -%}
    {%- if var('backfill_from') -%}
        {%- set first = modules.datetime.date.fromisoformat(var('backfill_from') | string) -%}
        {%- set last = modules.datetime.date.fromisoformat((var('backfill_to') or var('backfill_from')) | string) -%}
        {{ return((first.isoformat(), (last + modules.datetime.timedelta(days=1)).isoformat())) }}
    {%- endif -%}
    {#- A clock that was wrong once must not hide the events of the days until then. -#}
    {%- set newest = run_query(
        'select cast(date(least(coalesce(max(' ~ observed_at ~ "), timestamp '1970-01-01'), current_timestamp())) as string) "
        ~ 'from ' ~ table
    ).rows[0][0] -%}
    {%- set first = modules.datetime.date.fromisoformat(newest) -%}
    {%- set days = modules.datetime.timedelta(days=var('lookback_days') | int) -%}
    {#- The first day there is has none before it. -#}
    {{ return(((first - days).isoformat() if first.year > 1 else first.isoformat(), none)) }}
{%- endmacro %}

{# Whether `day` lies within a window of event_window; always without one. #}
{% macro day_in_window(day, window) -%}
    {%- if window is none -%} true
    {%- elif window[1] is none -%} {{ day }} >= date '{{ window[0] }}'
    {%- else -%} {{ day }} >= date '{{ window[0] }}' and {{ day }} < date '{{ window[1] }}'
    {%- endif -%}
{%- endmacro %}

{# Whether the time `observed_at` lies within a window of event_window; always without one. #}
{% macro time_in_window(observed_at, window) -%}
    {%- if window is none -%} true
    {%- elif window[1] is none -%} {{ observed_at }} >= timestamp '{{ window[0] }} 00:00:00+00'
    {%- else -%}
        {{ observed_at }} >= timestamp '{{ window[0] }} 00:00:00+00' and {{ observed_at }} < timestamp '{{ window[1] }} 00:00:00+00'
    {%- endif -%}
{%- endmacro %}

{#
    Whether a product or a user came, or got another price, since the window began: rows that are older than the
    window may then have to be looked up again. On most days nothing did, and the SQL for it isn't even rendered.
#}
{% macro lookups_changed(window) -%}
    {%- if window is none or not execute -%} {{ return(false) }} {%- endif -%}
    {%- set since = "timestamp '" ~ window[0] ~ " 00:00:00+00'" -%}
    {%- set found = run_query(
        'select (select count(*) from ' ~ ref('snap_products') ~ ' where dbt_valid_from >= ' ~ since ~ ') + '
        ~ '(select count(*) from ' ~ ref('snap_users') ~ ' where dbt_valid_from >= ' ~ since ~ ')'
    ).rows[0][0] -%}
    {{ return(found | int > 0) }}
{%- endmacro %}

{#
    The day of the oldest event that is the latest of its cart, among the carts that a run of fact_orders computes
    again: a literal below which it need not read. Most often it is the window's own first day. None without a window.
#}
{% macro oldest_latest_event(window) -%}
    {%- if window is none -%} {{ return(none) }} {%- endif -%}
    {%- if not execute -%} {{ return(window[0]) }} {%- endif -%}
    {%- set found = run_query(
        'select cast(min(observed_date) as string) from (select observed_date from ' ~ ref('fact_cart_events')
        ~ ' where cart_key in (' ~ touched_carts(window) ~ ')'
        ~ ' qualify row_number() over (partition by cart_key order by epoch desc, cart_version desc) = 1)'
    ).rows[0][0] -%}
    {{ return(found or window[0]) }}
{%- endmacro %}
