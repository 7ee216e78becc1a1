"""docs/marts.md: what readers of the marts need, from dbt's manifest and from the marts of the real data."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

type Ask = Callable[[str], Sequence[Mapping[str, Any]]]

_INTRO = """\
# Marts

Generated from the dbt project and from the marts of the shop's real data; a test keeps it true.
To write it anew: `WRITE_MARTS_PAGE=1 .venv/bin/python -m pytest tests/integration/dbt/test_marts_page.py`.

All tables are in `bq_analytics`. Readers see a table only after every test of the build that made it has passed
([jobs/dbt](../jobs/dbt/README.md)). A key is `source:id`, as in `fakestore:7`; `unknown` stands for a product or user
that is not loaded, and the day 1900-01-01 for a cart without a date. Keys are declared to BigQuery, not enforced by it,
and tested in each build.
"""

QUESTIONS: tuple[tuple[str, str], ...] = (
    (
        "Revenue by day",
        """\
select order_date, carts, customers, items, revenue, revenue_per_cart
from bq_analytics.mart_sales_daily
order by order_date""",
    ),
    (
        "What sells best",
        """\
select revenue_rank, title, items, revenue
from bq_analytics.mart_product_performance
where revenue > 0
order by revenue_rank, title
limit 5""",
    ),
    (
        "The best customers",
        """\
select user_key, city, recency_days, frequency, monetary
from bq_analytics.mart_customer_value
order by monetary desc
limit 3""",
    ),
    (
        "What became of the carts",
        """\
select sum(created) as created, sum(changed) as changed, sum(deleted) as deleted, sum(amount) as amount
from bq_analytics.mart_cart_funnel""",
    ),
    (
        "A category by weekday, from the facts",
        """\
select d.iso_day_of_week, p.category, sum(o.quantity) as items, sum(o.amount) as revenue
from bq_analytics.fact_orders as o
inner join bq_analytics.dim_dates as d on o.order_date = d.date_day
inner join bq_analytics.dim_products as p on o.product_key = p.product_key
where o.order_date between '2020-01-01' and '2020-12-31'
group by d.iso_day_of_week, p.category
order by revenue desc
limit 3""",
    ),
)


def page(manifest: Mapping[str, Any], ask: Ask) -> str:
    """Return the page. `ask` runs a query on golden marts; `manifest` is dbt's manifest.json."""
    return "\n".join([_INTRO, *_lineage(manifest), *_tables(manifest), *_examples(ask)])


def _models(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    nodes = manifest["nodes"].values()
    return sorted((n for n in nodes if n["resource_type"] in {"model", "snapshot"}), key=lambda n: str(n["name"]))


def _lineage(manifest: Mapping[str, Any]) -> Iterator[str]:
    yield from ("## Lineage", "", "```mermaid", "flowchart LR")
    for node in _models(manifest):
        for upstream in sorted(node["depends_on"]["nodes"]):
            name = ".".join(upstream.split(".")[-2:]) if upstream.startswith("source.") else upstream.split(".")[-1]
            # Two dots would end a name.
            yield f"  {name.replace('.', '_')} --> {node['name']}"
    yield from ("```", "")


def _tables(manifest: Mapping[str, Any]) -> Iterator[str]:
    yield from ("## Tables", "")
    for node in _models(manifest):
        if node["fqn"][1] != "marts":
            continue
        yield from (f"### {node['name']}", "", node["description"].strip(), "")
        partition = (node["config"].get("partition_by") or {}).get("field")
        if partition:
            clusters = ", ".join(node["config"].get("cluster_by") or ())
            yield from (f"Partitioned by day of `{partition}`, clustered by {clusters}: filter by them.", "")
        yield from ("| column | type | meaning |", "|---|---|---|")
        for column in node["columns"].values():
            key = any(constraint["type"] == "primary_key" for constraint in column["constraints"])
            name = f"**`{column['name']}`**" if key else f"`{column['name']}`"
            yield f"| {name} | {column['data_type']} | {column['description']} |"
        yield ""


def _examples(ask: Ask) -> Iterator[str]:
    yield from ("## Questions and their answers", "")
    for title, query in QUESTIONS:
        rows = ask(query)
        yield from (f"### {title}", "", "```sql", query, "```", "")
        names = list(rows[0]) if rows else []
        yield from (f"| {' | '.join(names)} |", f"|{'---|' * len(names)}")
        yield from (f"| {' | '.join(_text(value) for value in row.values())} |" for row in rows)
        yield ""


def _text(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, Decimal) else str(value)
