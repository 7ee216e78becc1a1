{#
    The comment of each query, as JSON, which dbt-bigquery turns into the job's labels.
    `run_id` is the invocation's id unless the job that starts dbt gave one in EYDP_DBT_RUN_ID.
#}
{% macro job_labels(node) -%}
    {%- set labels = {
        'component': 'dbt',
        'target': target.name,
        'run_id': env_var('EYDP_DBT_RUN_ID', invocation_id),
    } -%}
    {%- if node is not none -%}
        {%- do labels.update({'node': node.name, 'resource': node.resource_type | string}) -%}
    {%- endif -%}
    {{ return(tojson(labels)) }}
{%- endmacro %}
