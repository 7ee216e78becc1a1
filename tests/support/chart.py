"""Render the chart as Helm would install it, and judge its objects by the strict schemas of Kubernetes."""

import functools
import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import referencing
import yaml

from support.manifests import ROOT, Manifest, custom_resource_errors
from tools import tool

CHART = ROOT / "helm" / "ey-data-platform"
RELEASE = "ey-data-platform"
NAMESPACE = "shop"
PROJECT = "my-project"

#: The minor versions that the chart supports.
VERSIONS = ("1.30", "1.31", "1.32", "1.33", "1.34", "1.35")
#: Files for people, then one file for each scenario of the tests.
SCENARIOS: Mapping[str, Path] = {
    **{path.stem: path for path in sorted(CHART.glob("values-*.yaml"))},
    **{path.stem.removesuffix("-values"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))},
}
_OWN_GROUPS = {"", "apps", "batch", "autoscaling", "policy", "networking.k8s.io"}


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run helm to its end, whatever it ends with."""
    return subprocess.run([str(tool("helm")), *arguments], check=False, capture_output=True, text=True, timeout=60)


def template(
    files: Sequence[Path] = (),
    *sets: str,
    kubernetes: str = VERSIONS[-1],
    release: str = RELEASE,
    chart: Path = CHART,
) -> str:
    """Return what `helm template` prints for value files and `--set` arguments; fail with its words when it fails."""
    done = helm(*_arguments(files, sets, kubernetes, release, chart))
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def _plain(sets: tuple[str, ...]) -> str:
    """Return what the defaults and `--set` arguments render to, which many tests ask for again."""
    return template([], *sets)


def refusal(*sets: str, files: Sequence[Path] = ()) -> str:
    """Return the words with which Helm refuses values."""
    done = helm(*_arguments(files, sets, VERSIONS[-1], RELEASE))
    assert done.returncode != 0, "helm rendered what it should refuse"
    return done.stderr


def _arguments(
    files: Sequence[Path], sets: Sequence[str], kubernetes: str, release: str, chart: Path = CHART
) -> list[str]:
    values = [f"--values={path}" for path in files]
    # The scenarios name their project; the files for people do not.
    given = [word for text in (f"project={PROJECT}", *sets) for word in ("--set", text)]
    where = [f"--namespace={NAMESPACE}", f"--kube-version={kubernetes}"]
    return ["template", release, str(chart), *values, *given, *where]


@functools.cache
def scenario(name: str) -> list[Manifest]:
    """Return the objects of one scenario, hooks and tests included. They are shared: copy what you change."""
    return objects(template([SCENARIOS[name]]))


def objects(text: str) -> list[Manifest]:
    """Return the objects of a stream of YAML documents."""
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]


def rendered(*sets: str, files: Sequence[Path] = ()) -> list[Manifest]:
    """Return the objects for value files and `--set` arguments."""
    return objects(template(files, *sets) if files else _plain(sets))


def key(manifest: Manifest) -> str:
    """Return kind and name, which no two objects of a release share."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def named(manifests: Sequence[Manifest], wanted: str) -> Manifest:
    """Return the object with this kind and name."""
    found = {key(manifest): manifest for manifest in manifests}
    assert wanted in found, f"{wanted} is not among {sorted(found)}"
    return found[wanted]


def pod_template(manifest: Manifest) -> Manifest | None:
    """Return the pod that an object is or makes, as an object with metadata and spec, or None."""
    match manifest["kind"]:
        case "Pod":
            return manifest
        case "Deployment" | "Job":
            return dict(manifest["spec"]["template"])
        case "CronJob":
            return dict(manifest["spec"]["jobTemplate"]["spec"]["template"])
    return None


def pods(manifests: Sequence[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Yield every pod of a release with the key of the object it comes from."""
    for manifest in manifests:
        if pod := pod_template(manifest):
            yield key(manifest), pod


def settings_of(manifests: Sequence[Manifest], pod: Manifest) -> dict[str, str]:
    """Return the settings that a pod's container gets."""
    (source,) = pod["spec"]["containers"][0]["envFrom"]
    return dict(named(manifests, f"ConfigMap/{source['configMapRef']['name']}")["data"])


def quantity(text: str | float) -> float:
    """Return a quantity of Kubernetes as a number."""
    units = {"m": 1e-3, "": 1.0, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}
    found = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text))
    assert found, text
    return float(found[1]) * units[found[2]]


@functools.cache
def _folder(kubernetes: str) -> Path:
    root = Path(str(resources.files("kubernetes_validate"))) / "kubernetes-json-schema"
    (found,) = root.glob(f"v{kubernetes}*-local-strict")
    return found


@functools.cache
def _registry(kubernetes: str) -> Any:
    definitions = referencing.Resource.from_contents(
        json.loads((_folder(kubernetes) / "_definitions.json").read_text())
    )
    return definitions @ referencing.Registry()


@functools.cache
def _validator(kubernetes: str, kind: str, api_version: str) -> Any:
    group, _, version = api_version.rpartition("/")
    stem = "-".join(filter(None, (kind.lower(), group.split(".")[0], version)))
    schema = json.loads((_folder(kubernetes) / f"{stem}.json").read_text())
    return jsonschema.Draft202012Validator(schema, registry=_registry(kubernetes))


@functools.cache
def _errors(kubernetes: str, text: str) -> tuple[str, ...]:
    manifest = json.loads(text)
    group = manifest["apiVersion"].rpartition("/")[0]
    if group not in _OWN_GROUPS:
        return tuple(custom_resource_errors(manifest))
    validator = _validator(kubernetes, manifest["kind"], manifest["apiVersion"])
    return tuple(f"{error.json_path}: {error.message}" for error in validator.iter_errors(manifest))


def errors(manifest: Manifest, kubernetes: str) -> tuple[str, ...]:
    """Return what the strict schema of a Kubernetes version, or of the custom resource, has against an object."""
    return _errors(kubernetes, json.dumps(manifest, sort_keys=True))
