"""How local-bigquery looks a table up: one table, in place of all that there are; see `shims`.

Without it each look at a table reads the statistics of every table of every dataset, 1.5 ms a table, and each request
looks several times: with 500 tables a small query takes seconds.
"""

from collections.abc import Callable
from typing import Any

from local_bigquery.catalog import tables
from local_bigquery.engine import database

#: Where the results of queries are kept: in a plain DuckDB file, not in DuckLake.
_RESULTS = ("emulator", tables.RESULTS)
#: What the original asks DuckDB for all tables at once, asked of DuckLake's catalog for one dataset.
_OBJECTS = """
    SELECT t.table_name, 'TABLE', coalesce(n.record_count, 0)
    FROM {catalog}.ducklake_table AS t
    JOIN {catalog}.ducklake_schema AS d USING (schema_id)
    LEFT JOIN {catalog}.ducklake_table_stats AS n USING (table_id)
    WHERE t.end_snapshot IS NULL AND d.end_snapshot IS NULL
        AND d.schema_name = $1 AND t.table_name = coalesce($2, t.table_name)
    UNION ALL
    SELECT v.view_name, 'VIEW', 0
    FROM {catalog}.ducklake_view AS v
    JOIN {catalog}.ducklake_schema AS d USING (schema_id)
    WHERE v.end_snapshot IS NULL AND d.end_snapshot IS NULL
        AND d.schema_name = $1 AND v.view_name = coalesce($2, v.view_name)
    ORDER BY 1
"""


def apply() -> None:
    """Put the shim in place."""
    database.objects = _of_one_dataset(database.objects)


def _of_one_dataset(objects: Callable[..., Any]) -> Callable[..., Any]:
    """Return name, kind and number of rows of a dataset's tables and views, or of one of them."""

    def run(project_id: str, dataset_id: str, table_id: str | None = None) -> Any:
        if (project_id, dataset_id) == _RESULTS:
            return _result(table_id) if table_id else objects(project_id, dataset_id)
        if project_id not in database.projects():
            return []  # a project that nothing was made in has no catalog yet
        catalog = database.quote(f"__ducklake_metadata_{project_id}", "main")
        return database.fetch(_OBJECTS.format(catalog=catalog), [dataset_id, table_id])

    return run


def _result(table_id: str) -> list[tuple[str, str, int]]:
    """Look one query's result up; every query leaves one, so they are the most."""
    table = database.quote(*_RESULTS, table_id)
    try:
        [(count,)] = database.fetch(f"SELECT count(*) FROM {table}")  # noqa: S608 - quoted
    except database.duckdb.CatalogException:
        return []
    return [(table_id, "TABLE", count)]
