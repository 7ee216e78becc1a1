"""Read Kubernetes manifests as a cluster would get them, and judge custom resources by their schemas."""

import functools
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from tools import tool

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "tests" / "chart" / "schemas"

type Manifest = dict[str, Any]

#: What an object may have beside what its schema says; the schemas are open at the top level.
_TOP_LEVEL = {"apiVersion", "kind", "metadata", "spec"}


@functools.cache
def _kustomized(folder: Path) -> str:
    command = [str(tool("kubectl")), "kustomize", str(folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def kustomize(folder: Path) -> list[Manifest]:
    """Return the objects that `kubectl apply -k` would send."""
    return [document for document in yaml.load_all(_kustomized(folder), yaml.CSafeLoader) if document]


def custom_resource_errors(manifest: Manifest) -> Iterator[str]:
    """Yield what the schema of a custom resource complains about, the top level closed."""
    group, _, version = manifest["apiVersion"].partition("/")
    path = SCHEMAS / "crds" / group / f"{manifest['kind'].lower()}_{version}.json"
    if not path.is_file():
        yield f"no schema for {manifest['apiVersion']} {manifest['kind']}"
        return
    if unknown := set(manifest) - _TOP_LEVEL:
        yield f"unknown at the top level: {sorted(unknown)}"
    validator = jsonschema.Draft7Validator(json.loads(path.read_text()))
    for error in validator.iter_errors(manifest):
        yield f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
