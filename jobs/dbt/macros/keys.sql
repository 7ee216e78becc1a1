{#
    The key of a shop's record: source and id, as in "fakestore:7". Ids are unique only within one source,
    and a person can read this key. Null when one of the two is null.
#}
{% macro entity_key(source, id) -%}
    concat({{ source }}, ':', cast({{ id }} as string))
{%- endmacro %}

{# The unknown member's key and day: what a fact points to when its dimension has no row for it. Its id is null. #}
{% macro unknown_key() -%} 'unknown' {%- endmacro %}

{% macro unknown_date() -%} date '{{ var("unknown_date") }}' {%- endmacro %}
