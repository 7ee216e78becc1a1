{#
    The incremental strategy `replace_rows`: the rows of some keys are deleted and those of the model inserted, in one
    transaction. In the model's meta, `replaced_column` is the key's column, `replaced_keys` the name of a macro that returns SQL for the
    keys whose rows go, given the temporary table with the model's rows.

    dbt's merge can't delete the lines that a cart lost; its insert_overwrite would write whole partitions anew,
    untouched carts with them. The days to delete from are looked up first and stand in the statement as literals, so
    that BigQuery reads and writes their partitions alone.
#}
{% macro replace_rows_sql(tmp_relation, target_relation, partition_by, dest_columns) -%}
    {%- set column = config.get('meta')['replaced_column'] -%}
    {%- set keys = context[config.get('meta')['replaced_keys']](tmp_relation) -%}
    {%- set days = run_query(
        'select distinct cast(' ~ partition_by.field ~ ' as string) from ' ~ target_relation
        ~ ' where ' ~ column ~ ' in (' ~ keys ~ ')'
    ).columns[0].values() | sort -%}
    {%- set names = dest_columns | map(attribute='quoted') | join(', ') -%}
    begin transaction;
    {% if days %}
    delete from {{ target_relation }}
    where {{ partition_by.field }} in (
        {%- for day in days %}date '{{ day }}'{{ ', ' if not loop.last }}{% endfor -%}
    )
        and {{ column }} in ({{ keys }});
    {% endif %}
    insert into {{ target_relation }} ({{ names }})
    select {{ names }}
    from {{ tmp_relation }};
    commit transaction;
{%- endmacro %}

{# dbt-bigquery takes only the strategies it knows; these two macros of it are replaced to add ours. #}
{% macro dbt_bigquery_validate_get_incremental_strategy(config) %}
    {%- set strategy = config.get('incremental_strategy') -%}
    {%- if strategy != 'replace_rows' -%}
        {% do exceptions.raise_compiler_error(
            'incremental models of this project use the strategy replace_rows, not ' ~ strategy
        ) %}
    {%- endif -%}
    {{ return(strategy) }}
{% endmacro %}

{% macro bq_generate_incremental_build_sql(
    strategy, tmp_relation, target_relation, sql, unique_key, partition_by, partitions, dest_columns,
    tmp_relation_exists, copy_partitions, incremental_predicates
) %}
    {%- if not tmp_relation_exists -%}
        {% do exceptions.raise_compiler_error('replace_rows needs on_schema_change: append_new_columns') %}
    {%- endif -%}
    {{ return(replace_rows_sql(tmp_relation, target_relation, partition_by, dest_columns)) }}
{% endmacro %}
