"""What the project promises of its models, read from dbt's manifest and from the SQL that it compiles."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from .conftest import PROJECT, Built

LAYERS = {
    "staging": {"source"},
    "intermediate": {"staging", "intermediate", "snapshot"},
    "marts": {"staging", "intermediate", "snapshot", "marts"},
}


@pytest.fixture(scope="module")
def compiled(golden_build: Built) -> Path:
    """Return dbt's folder after unit tests and a compilation: facts as incremental runs see them."""
    warehouse = golden_build.warehouse
    done = warehouse.dbt_commands([["test", "--select", "test_type:unit"], ["compile"]])
    codes = [line for line in done.stdout.splitlines() if line.startswith("exit code")]
    assert codes == ["exit code 0 of test --select test_type:unit", "exit code 0 of compile"], done.stdout[-6000:]
    return warehouse.folder / "target"


@pytest.fixture(scope="module")
def manifest(compiled: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((compiled / "manifest.json").read_text())
    return found


def _models(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] in {"model", "snapshot"}]


def _layer(manifest: dict[str, Any], unique_id: str) -> str:
    if unique_id.startswith("source."):
        return "source"
    node = manifest["nodes"][unique_id]
    return "snapshot" if node["resource_type"] == "snapshot" else node["fqn"][1]


def test_every_model_has_an_owner_a_grain_and_described_columns(manifest: dict[str, Any]) -> None:
    for node in _models(manifest):
        assert node["config"]["meta"].get("owner"), node["name"]
        assert node["description"].startswith("One row for each "), node["name"]
        assert node["columns"], node["name"]
        assert all(column["description"] for column in node["columns"].values()), node["name"]


def test_every_model_has_a_key_that_is_tested(manifest: dict[str, Any]) -> None:
    tested = {
        (test["attached_node"], test["test_metadata"]["name"])
        for test in manifest["nodes"].values()
        if test["resource_type"] == "test" and test.get("test_metadata")
    }
    # Its key has two columns; that its rows follow each other without a gap is a unit test.
    exempt = {"int_product_prices"}
    for node in _models(manifest):
        assert (node["unique_id"], "unique") in tested or node["name"] in exempt, node["name"]
        # The contract of a mart lets no null into its key.
        assert (node["unique_id"], "not_null") in tested or _layer(manifest, node["unique_id"]) == "marts", node["name"]


def test_no_layer_reads_past_the_one_below(manifest: dict[str, Any]) -> None:
    for node in _models(manifest):
        layer = _layer(manifest, node["unique_id"])
        if layer == "snapshot":
            continue
        for upstream in node["depends_on"]["nodes"]:
            assert _layer(manifest, upstream) in LAYERS[layer], f"{node['name']} reads {upstream}"


def test_a_mart_of_the_business_reads_marts_alone(manifest: dict[str, Any]) -> None:
    for node in _models(manifest):
        if node["name"].startswith("mart_"):
            assert {_layer(manifest, upstream) for upstream in node["depends_on"]["nodes"]} == {"marts"}, node["name"]


def test_every_mart_has_an_enforced_contract_a_primary_key_and_lists_its_columns(manifest: dict[str, Any]) -> None:
    marts = [node for node in _models(manifest) if _layer(manifest, node["unique_id"]) == "marts"]
    assert len(marts) == 9
    for node in marts:
        assert node["config"]["contract"]["enforced"], node["name"]
        kinds = [constraint["type"] for column in node["columns"].values() for constraint in column["constraints"]]
        assert kinds.count("primary_key") == 1, node["name"]
        [final] = sqlglot.parse(node["compiled_code"], dialect="bigquery")
        assert final is not None
        assert not any(isinstance(column, exp.Star) for column in final.selects), node["name"]


def test_the_compiled_sql_is_bigquery_sql(compiled: Path) -> None:
    """What the targets differ in is the connection alone, so this holds for each of them."""
    files = sorted((compiled / "compiled" / "ey_data_platform").rglob("*.sql"))
    assert len(files) > 60
    for file in files:
        sqlglot.parse(file.read_text(), dialect="bigquery")
    sources = [*(PROJECT / "models").rglob("*.sql"), *(PROJECT / "tests").rglob("*.sql")]
    assert [path.name for path in sources if re.search(r"\btarget\.", path.read_text())] == []


@pytest.mark.parametrize(
    ("model", "source", "column"),
    [
        ("fact_cart_events", "stg_cart_events", "observed_at"),
        ("fact_orders", "fact_cart_events", "observed_date"),
    ],
)
def test_an_incremental_model_filters_its_sources_partition_column_by_a_literal(
    manifest: dict[str, Any], model: str, source: str, column: str
) -> None:
    code = manifest["nodes"][f"model.ey_data_platform.{model}"]["compiled_code"]
    [tree] = sqlglot.parse(code, dialect="bigquery")
    assert tree is not None
    reads = [table for table in tree.find_all(exp.Table) if table.name == source]
    assert reads
    for table in reads:
        select = table.find_ancestor(exp.Select)
        assert select is not None
        where = select.args.get("where")
        assert where is not None, code
        assert _bounded_by_a_literal(where, column), where.sql()


def test_a_filter_passes_through_the_window_functions_of_staging(manifest: dict[str, Any]) -> None:
    code = manifest["nodes"]["model.ey_data_platform.stg_cart_events"]["compiled_code"]
    [tree] = sqlglot.parse(code, dialect="bigquery")
    assert tree is not None
    windows = list(tree.find_all(exp.Window))
    assert windows
    for window in windows:
        assert "observed_at" in {column.name for column in window.args["partition_by"]}


def _bounded_by_a_literal(where: exp.Expression, column: str) -> bool:
    for bound in where.find_all(exp.GTE):
        if isinstance(bound.this, exp.Column) and bound.this.name == column:
            return isinstance(bound.expression, exp.Cast) and isinstance(bound.expression.this, exp.Literal)
    return False
