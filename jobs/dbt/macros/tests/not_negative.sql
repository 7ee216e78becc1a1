{# A generic test: no value of the column is below 0. Null is allowed. #}
{% test not_negative(model, column_name) %}

select *
from {{ model }}
where {{ column_name }} < 0

{% endtest %}
