{#
    A generic test: the newest complete day of a measure lies within what the days before it were.

    `measure` is an aggregate of the model's rows, `day_column` their day. The newest day that rows have is still being
    filled and is left out; the one before it is compared with the `days` days before that: it may differ from their
    mean by `deviations` standard deviations, and always by `slack` of the mean, so that a shop that sells the same
    each day doesn't trip over one order more. With fewer than `least_days` days there is nothing to learn from, and
    the test passes. Returns a row for each shop whose day is out of bounds, with the bounds.
#}
{% test within_learned_bounds(
    model, measure, day_column, days=28, least_days=7, deviations=4, slack=0.5, source_column='source'
) %}

with

daily as (

    select
        {{ source_column }} as shop,
        {{ day_column }} as day_seen,
        cast({{ measure }} as float64) as value

    from {{ model }}
    where {{ day_column }} != {{ unknown_date() }}
    group by {{ source_column }}, {{ day_column }}

),

ranked as (

    select
        shop,
        day_seen,
        value,
        row_number() over (partition by shop order by day_seen desc) as age

    from daily

),

learned as (

    select
        shop,
        count(*) as days_seen,
        avg(value) as mean,
        coalesce(stddev_pop(value), 0) as deviation

    from ranked
    where age between 3 and {{ days + 2 }}
    group by shop

)

select
    ranked.shop,
    ranked.day_seen,
    ranked.value,
    learned.mean,
    learned.mean - greatest({{ deviations }} * learned.deviation, {{ slack }} * abs(learned.mean)) as least_expected,
    learned.mean + greatest({{ deviations }} * learned.deviation, {{ slack }} * abs(learned.mean)) as most_expected

from ranked
inner join learned
    on ranked.shop = learned.shop
where ranked.age = 2
    and learned.days_seen >= {{ least_days }}
    and abs(ranked.value - learned.mean)
    > greatest({{ deviations }} * learned.deviation, {{ slack }} * abs(learned.mean))

{% endtest %}
