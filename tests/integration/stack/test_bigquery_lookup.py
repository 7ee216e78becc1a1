"""The BigQuery emulator's engine, without its servers: a look at one table costs no more for the tables beside it."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from localcloud.services import import_path

_PROGRAM = """
import json, os, sys
from pathlib import Path
from localcloud.bigquery.extensions import link_extensions

link_extensions(Path(os.environ["HOME"]))
from local_bigquery.catalog import tables
from local_bigquery.engine import database
from local_bigquery.settings import settings

settings.default_project_id, settings.data_dir = "shop", Path(os.environ["HOME"], "data")
original, fetch = database.objects, database.fetch
from localcloud.bigquery import shims

shims.apply()


def run(*statements):
    for statement in statements:
        database.execute(statement)


def queries():
    run("CALL enable_logging('QueryLog')", "CALL truncate_duckdb_logs()")
    tables.load("shop", "first", "t")
    [(count,)] = database.fetch("SELECT count(*) FROM duckdb_logs WHERE type = 'QueryLog'")
    run("CALL disable_logging()")
    return count


run("CREATE SCHEMA shop.first", "CREATE TABLE shop.first.t (n INT)")
alone = queries()
run(
    "CREATE SCHEMA shop.one", "CREATE SCHEMA shop.two", "CREATE SCHEMA shop.gone", "CREATE SCHEMA shop.empty",
    "CREATE TABLE shop.one.filled AS SELECT range AS n FROM range(10)",
    "CREATE TABLE shop.one.shrunk AS SELECT range AS n FROM range(10)", "DELETE FROM shop.one.shrunk WHERE n < 4",
    "CREATE TABLE shop.one.changed AS SELECT range AS n FROM range(10)",
    "UPDATE shop.one.changed SET n = 3 WHERE n < 2",
    "CREATE TABLE shop.one.empty (n INT)", "CREATE TABLE shop.one.dropped (n INT)", "DROP TABLE shop.one.dropped",
    "CREATE TABLE shop.one.before (n INT)", "ALTER TABLE shop.one.before RENAME TO after",
    "CREATE TABLE shop.one.again AS SELECT 1 AS n", "CREATE OR REPLACE TABLE shop.one.again AS SELECT 1 AS n LIMIT 0",
    'CREATE TABLE shop.one."Mixed" (n INT)',
    "CREATE VIEW shop.one.seen AS SELECT * FROM shop.one.filled", "CREATE VIEW shop.one.unseen AS SELECT 1 AS n",
    "DROP VIEW shop.one.unseen",
    "CREATE TABLE shop.two.filled AS SELECT 1 AS n",
    "CREATE TABLE shop.gone.t (n INT)", "DROP TABLE shop.gone.t", "DROP SCHEMA shop.gone",
    'CREATE TABLE emulator._results."shop:job" AS SELECT range AS n FROM range(7)',
    "CREATE TABLE shop.one.strict (a INT NOT NULL, b STRUCT(c INT), d INT NOT NULL, _PARTITIONTIME INT)",
    "ALTER TABLE shop.one.strict ADD COLUMN e INT",
    'CREATE TABLE emulator._results."shop:strict" (a INT NOT NULL, b INT)',
)
asked = [(project, dataset) for project in ("shop", "nobody") for dataset in ("one", "two", "gone", "empty", "never")]
asked += [("shop", "one", name) for name in ("filled", "shrunk", "changed", "empty", "dropped", "before", "after")]
asked += [("shop", "one", name) for name in ("again", "Mixed", "mixed", "seen", "unseen")]
asked += [("shop", "two", "filled"), ("nobody", "one", "filled"), ("emulator", "_results")]
asked += [("emulator", "_results", "shop:job"), ("emulator", "_results", "shop:other")]
# Before the original is asked, which keeps what it has read.
among_others = queries()
both = [[question, original(*question), database.objects(*question)] for question in asked]
ways = [
    "SELECT column_name FROM duckdb_columns() WHERE database_name = ? "
    "AND schema_name = ? AND table_name = ? AND NOT is_nullable",
    "SELECT 1 FROM duckdb_columns() WHERE database_name = ? AND schema_name = ? "
    "AND table_name = ? AND column_name = ?",
]
tables = [question for question in asked if len(question) == 3]
tables += [("shop", "one", "strict"), ("emulator", "_results", "shop:strict")]
for table in tables:
    for way, more in ((ways[0], []), *((ways[1], [name]) for name in ("a", "c", "n", "_PARTITIONTIME", "e"))):
        if table[2] != "seen" or not more:
            question = [*table, *more]
            both.append([question, sorted(fetch(way, question)), sorted(database.fetch(way, question))])
print(json.dumps({"both": both, "queries": [alone, among_others]}))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the program prints, which runs in a process of its own: an engine can be opened once in each."""
    environment = {**os.environ, "PYTHONPATH": import_path(), "HOME": str(tmp_path_factory.mktemp("engine"))}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, env=environment, check=False, timeout=90
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_lookup_finds_what_the_engine_finds_among_all_tables(said: dict[str, Any]) -> None:
    assert [(question, new) for question, _, new in said["both"]] == [
        (question, old) for question, old, _ in said["both"]
    ]


def test_the_comparison_meets_tables_views_and_what_is_not_there(said: dict[str, Any]) -> None:
    found = [tuple(row[1:]) for _, rows, _ in said["both"] for row in rows]
    assert {("TABLE", 10), ("TABLE", 0), ("TABLE", 7), ("VIEW", 0)} <= set(found)
    assert any(not rows for _, rows, _ in said["both"])


def test_a_look_at_a_table_asks_as_much_with_other_tables_as_with_none(said: dict[str, Any]) -> None:
    alone, among_others = said["queries"]
    assert 0 < among_others <= alone
