"""How local-bigquery looks a table and its columns up: one table, in place of all that there are; see `shims`.

Without it each look at a table reads the statistics, and each look at its columns the columns, of every table and view
of every dataset, 1.5 ms a table, and each request looks several times: with 500 tables a small query takes seconds.
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
#: How the original asks for columns: those that are required, and whether there is one of a name.
_REQUIRED = (
    "SELECT column_name FROM duckdb_columns() WHERE database_name = ? "
    "AND schema_name = ? AND table_name = ? AND NOT is_nullable"
)
_HAS = (
    "SELECT 1 FROM duckdb_columns() WHERE database_name = ? AND schema_name = ? AND table_name = ? AND column_name = ?"
)
_COLUMNS = """
    SELECT c.column_name, NOT c.nulls_allowed
    FROM {catalog}.ducklake_column AS c
    JOIN {catalog}.ducklake_table AS t USING (table_id)
    JOIN {catalog}.ducklake_schema AS d USING (schema_id)
    WHERE c.end_snapshot IS NULL AND t.end_snapshot IS NULL AND d.end_snapshot IS NULL
        AND c.parent_column IS NULL AND d.schema_name = $1 AND t.table_name = $2
"""


def apply() -> None:
    """Put the shims in place."""
    database.objects = _of_one_dataset(database.objects)
    database.fetch = _columns_of_one_table(database.fetch)


def _columns_of_one_table(fetch: Callable[..., Any]) -> Callable[..., Any]:
    """Return what `fetch` returns; the original's two questions for columns are asked of one table alone.

    A view has no required column, and none of the name that is asked for, which no query of ours gives it.
    """

    def run(sql: str, params: list[Any] | None = None) -> Any:
        if params and sql == _REQUIRED:
            return [(name,) for name, required in columns(*params) if required]
        if params and sql == _HAS:
            *table, wanted = params
            return [(1,) for name, _ in columns(*table) if name == wanted]
        return fetch(sql, params)

    def columns(project_id: str, dataset_id: str, table_id: str) -> list[tuple[str, bool]]:
        if (project_id, dataset_id) == _RESULTS:
            table = database.quote(project_id, dataset_id, table_id).replace("'", "''")
            try:
                return [(found[1], found[3]) for found in fetch(f"PRAGMA table_info('{table}')")]
            except database.duckdb.CatalogException:
                return []
        if project_id not in database.projects():
            return []
        catalog = database.quote(f"__ducklake_metadata_{project_id}", "main")
        return [tuple(found) for found in fetch(_COLUMNS.format(catalog=catalog), [dataset_id, table_id])]

    return run


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
