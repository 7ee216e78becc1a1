{#
    dbt run-operation list_models: one line a model, in the order of their names, with materialisation,
    dataset.table and description, whose first sentence is the grain.
#}
{% macro list_models() %}
    {% set rows = [] %}
    {% for node in graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') | sort(attribute='name') %}
        {% set description = (node.description or 'no description') | replace('\n', ' ') | trim %}
        {% do rows.append((node.name, node.config.materialized, node.schema ~ '.' ~ node.alias, description)) %}
    {% endfor %}
    {% set widths = [] %}
    {% for column in range(3) %}
        {% do widths.append(rows | map(attribute=column) | map('length') | max) %}
    {% endfor %}
    {% for row in rows %}
        {% do print(row[0].ljust(widths[0]) ~ '  ' ~ row[1].ljust(widths[1]) ~ '  ' ~ row[2].ljust(widths[2]) ~ '  ' ~ row[3]) %}
    {% endfor %}
{% endmacro %}
