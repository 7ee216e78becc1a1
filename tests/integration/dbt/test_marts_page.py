"""docs/marts.md says what the project and the marts of the real data say."""

import json
import os
from pathlib import Path

from dbt_job.page import page

from .conftest import Built

PAGE = Path(__file__).parents[3] / "docs" / "marts.md"


def test_the_page_of_the_marts_is_true(golden_build: Built) -> None:
    warehouse = golden_build.warehouse
    manifest = json.loads((warehouse.folder / "target" / "manifest.json").read_text())
    text = page(manifest, lambda query: warehouse.query(query.replace("bq_analytics.", "{marts}.")))
    if os.environ.get("WRITE_MARTS_PAGE"):
        PAGE.write_text(text)
    assert PAGE.read_text() == text
