"""Datasets of its own for each module, and one target path for all: what one parsed, the next need not parse."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import dbt_job
from dataplatform.clients import bigquery_client
from dataplatform.settings import EmulatorSettings, PlatformSettings

from .raw_rows import golden_event_rows, golden_product_rows, golden_user_rows
from .warehouse import Warehouse

PROJECT = Path(dbt_job.__file__).parents[1]

type NewWarehouse = Callable[[], Warehouse]


@dataclass(frozen=True)
class Built:
    """A warehouse after `dbt build`, the summary of that build, and the files it left in the project."""

    warehouse: Warehouse
    summary: dict[str, Any]
    left_in_project: set[Path]


@pytest.fixture(scope="session")
def dbt_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dbt")


@pytest.fixture(scope="session")
def new_warehouse(stack_env: Mapping[str, str], dbt_folder: Path) -> Iterator[NewWarehouse]:
    """Make datasets with empty raw tables; all are dropped at the end."""
    project = stack_env["EYDP_PROJECT"]
    emulators = EmulatorSettings(bigquery_emulator_host=stack_env["BIGQUERY_EMULATOR_HOST"])
    client = bigquery_client(PlatformSettings(project=project, location="US"), emulators)
    made: list[Warehouse] = []

    def make() -> Warehouse:
        suffix = uuid4().hex[:8]
        raw, analytics = f"dbt_raw_{suffix}", f"dbt_marts_{suffix}"
        variables = {
            "BIGQUERY_EMULATOR_HOST": stack_env["BIGQUERY_EMULATOR_HOST"],
            "EYDP_PROJECT": project,
            "EYDP_DATASET_RAW": raw,
            "EYDP_DATASET_ANALYTICS": analytics,
            "EYDP_DBT_TARGET_PATH": str(dbt_folder / "target"),
        }
        warehouse = Warehouse(client, project, raw, analytics, variables, dbt_folder)
        made.append(warehouse)
        warehouse.create()
        return warehouse

    yield make
    for warehouse in made:
        warehouse.drop()
    client.close()


@pytest.fixture(scope="session")
def golden_build(new_warehouse: NewWarehouse) -> Built:
    """Build the marts of the real data. Tests only read them."""
    warehouse = new_warehouse()
    warehouse.insert("Products", golden_product_rows())
    warehouse.insert("Users", golden_user_rows())
    warehouse.insert("carts_events", golden_event_rows())
    before = _files(PROJECT)
    summary = warehouse.build()
    return Built(warehouse, summary, _files(PROJECT) - before)


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if "__pycache__" not in path.parts}
