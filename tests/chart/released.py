"""What a released chart called its objects and how it selected their pods: what an upgrade must not change.

    PYTHONPATH=scripts .venv/bin/python -m chart.released     keep the chart of this checkout, when it is released

A folder holds the values of a release and its objects: kind and name, with the selector where there is one.
"""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from support.chart import CHART, key, rendered
from support.manifests import Manifest

FOLDER = Path(__file__).parent / "released"


def selectors(manifests: Iterable[Manifest]) -> dict[str, Any]:
    """Return the selector of each object that has one, and null for the others, by kind and name."""
    return {
        key(manifest): manifest["spec"].get("selector", manifest["spec"].get("podSelector"))
        if "spec" in manifest
        else None
        for manifest in manifests
    }


def main() -> None:
    """Keep values and objects of the chart as it is."""
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    folder = FOLDER / version
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(CHART / "values.yaml", folder / "values.yaml")
    found = selectors(rendered(files=[folder / "values.yaml"]))
    (folder / "objects.json").write_text(json.dumps(found, indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
