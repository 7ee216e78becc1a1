{#
    The dataset of a model: exactly its configured schema, else the target's.

    dbt's own rule would join the two ("bq_analytics_staging"). Datasets are made and granted by the
    platform's provisioning, so dbt must never invent a name of its own.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
