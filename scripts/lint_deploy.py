"""Lint what is deployed: the chart by helm's strict lint, each Dockerfile by hadolint, skaffold.yaml by its schema.

The programs come from the locked development requirements, but for promtool, which checks the rules where it is
installed. Complaints are printed; the exit code is 1 when there are any.
"""

import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

import jsonschema
import yaml

from tools import MissingToolError, tool

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "helm" / "ey-data-platform"
SKAFFOLD_SCHEMA = ROOT / "tests" / "chart" / "schemas" / "skaffold-v4beta13.json"


def run(command: Sequence[str]) -> str:
    """Return what a linter says when it finds something, else an empty string."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - a locked linter
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip()


def chart(folder: Path = CHART) -> Iterator[str]:
    """Lint the chart with each file of values."""
    helm = str(tool("helm"))
    for values in [*sorted(folder.glob("values-*.yaml")), *sorted((folder / "ci").glob("*.yaml"))]:
        # The files for people leave the project to them.
        given = ["--values", str(values), "--set", "project=my-project"]
        if complaint := run([helm, "lint", "--strict", "--quiet", str(folder), *given]):
            yield f"helm lint with {values.name}: {complaint}"


def dockerfiles(root: Path = ROOT) -> Iterator[str]:
    """Lint every Dockerfile."""
    hadolint = str(Path(sysconfig.get_path("scripts")) / "hadolint")
    for folder in ("services", "jobs", "local", "cli"):
        for path in sorted((root / folder).rglob("Dockerfile*")):
            if complaint := run([hadolint, "--no-color", str(path)]):
                yield complaint


def skaffold(path: Path = ROOT / "skaffold.yaml") -> Iterator[str]:
    """Judge skaffold.yaml by the schema of its version."""
    if not path.exists() or not SKAFFOLD_SCHEMA.exists():
        return
    validator = jsonschema.Draft7Validator(json.loads(SKAFFOLD_SCHEMA.read_text(encoding="utf-8")))
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        for error in validator.iter_errors(document):
            yield f"{path.name}: {error.json_path}: {error.message}"


def rules(folder: Path = CHART / "rules") -> Iterator[str]:
    """Check the chart's alerts and recording rules, where promtool is installed."""
    if promtool := shutil.which("promtool"):
        for path in sorted(folder.glob("*.yaml")):
            if complaint := run([promtool, "check", "rules", str(path)]):
                yield complaint


def main() -> int:
    """Print all complaints; return 1 when there are any."""
    try:
        complaints = [*chart(), *dockerfiles(), *skaffold(), *rules()]
    except MissingToolError as error:
        complaints = [str(error)]
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
