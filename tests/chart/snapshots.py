"""The rendered main scenarios, kept beside the tests so that a change of the chart shows what it changes.

make snapshots        write them anew; look at the difference before you commit it
"""

from pathlib import Path

import yaml

from support.chart import key, scenario

FOLDER = Path(__file__).parent / "snapshots"
KEPT = ("values-gke", "values-autopilot", "values-local", "keda-operator")


def text(name: str) -> str:
    """Return what a snapshot should hold: the objects in the order of their kind and name, without comments."""
    return yaml.safe_dump_all(sorted(scenario(name), key=key), sort_keys=False, width=120)


def path(name: str) -> Path:
    """Return where a snapshot is."""
    return FOLDER / f"{name}.yaml"


def main() -> None:
    """Write all snapshots."""
    FOLDER.mkdir(exist_ok=True)
    for name in KEPT:
        path(name).write_text(text(name), encoding="utf-8")


if __name__ == "__main__":
    main()
