"""Run an image as a cluster would: with runc, its own process ids, no capability, a root that can't be written."""

import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from image_builder.command import output
from image_builder.size import mounted


@dataclass(frozen=True, slots=True)
class Built:
    """An image that was built: its name on this machine and what its configuration says."""

    reference: str
    config: Mapping[str, Any] = field(repr=False)

    @property
    def entrypoint(self) -> list[str]:
        return list(self.config["Entrypoint"])

    @property
    def environment(self) -> dict[str, str]:
        return dict(entry.split("=", 1) for entry in self.config["Env"])


def built(reference: str) -> Built:
    """Read an image's configuration."""
    whole = json.loads(output(["buildah", "inspect", "--type", "image", reference]))
    return Built(reference, whole["Docker"]["config"])


#: Below these runc mounts what every engine does, shared memory included, which dbt's locks need.
#: Where the chart mounts secret files.
SECRETS = "/run/secrets/ey-data-platform"
_MOUNTS = ("proc", "dev")


class Running:
    """A container whose first process has been started."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name = name
        self.process = process
        self.started = time.monotonic()

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the container, as its user."""
        words = ["runc", "exec", self.name, *command]
        return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)

    def stop(self, signal: str, seconds: float) -> tuple[int, str]:
        """Send the signal to process 1, as an engine does; return its exit code and all that it printed."""
        output(["runc", "kill", self.name, signal])
        printed, _ = self.process.communicate(timeout=seconds)
        return self.process.returncode, printed


@contextmanager
def running(
    image: Built,
    arguments: Sequence[str] = (),
    *,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    tmp: bool = True,
    secrets: Path | None = None,
    entrypoint: Sequence[str] | None = None,
) -> Iterator[Running]:
    """Run a container on the machine's own network; `tmp` gives it an empty /tmp, the only place it can write to.

    `secrets` is a folder that it can read at SECRETS.
    """
    name = f"eydp-test-{uuid.uuid4().hex[:12]}"
    command = [*(image.entrypoint if entrypoint is None else entrypoint), *arguments]
    bundle = folder / name
    bundle.mkdir()
    with mounted(image.reference) as root:
        output(["runc", "spec", "--bundle", str(bundle)])
        file = bundle / "config.json"
        spec = json.loads(file.read_text(encoding="utf-8"))
        _restrict(spec, image, root, command, {**image.environment, **(environment or {})}, tmp=tmp)
        if secrets:
            spec["mounts"].append(
                {"destination": SECRETS, "type": "bind", "source": str(secrets), "options": ["bind", "ro"]}
            )
        file.write_text(json.dumps(spec), encoding="utf-8")
        words = ["runc", "run", "--bundle", str(bundle), name]
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield Running(name, process)
        finally:
            # Gone already is as good. Killing runc alone would leave the container.
            with suppress(Exception):
                output(["runc", "delete", "--force", name])
            process.wait(30)
            if process.stdout:
                process.stdout.close()


def run(
    image: Built,
    *arguments: str,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    tmp: bool = True,
    code: int = 0,
    entrypoint: Sequence[str] | None = None,
) -> str:
    """Run a container to its end, check its exit code, and return what it printed."""
    with running(image, arguments, folder=folder, environment=environment, tmp=tmp, entrypoint=entrypoint) as container:
        printed, _ = container.process.communicate(timeout=600)
    assert container.process.returncode == code, f"{image.reference} {arguments}: {printed}"
    return printed


def _restrict(
    spec: dict[str, Any], image: Built, root: Path, command: list[str], environment: Mapping[str, str], *, tmp: bool
) -> None:
    user, _, group = str(image.config["User"]).partition(":")
    spec["root"] = {"path": str(root), "readonly": True}
    spec["hostname"] = "pod"
    spec["process"] |= {
        "terminal": False,
        "user": {"uid": int(user), "gid": int(group)},
        "args": command,
        "env": [f"{name}={value}" for name, value in environment.items()],
        "cwd": image.config["WorkingDir"],
        "capabilities": {name: [] for name in ("bounding", "effective", "permitted", "ambient")},
        "noNewPrivileges": True,
    }
    spec["mounts"] = [mount for mount in spec["mounts"] if mount["destination"].split("/")[1] in _MOUNTS]
    if tmp:
        options = ["nosuid", "nodev", "mode=1777"]
        place = image.environment["TMPDIR"]
        spec["mounts"].append({"destination": place, "type": "tmpfs", "source": "tmpfs", "options": options})
    spec["linux"]["namespaces"] = [each for each in spec["linux"]["namespaces"] if each["type"] != "network"]


def for_containers(environment: Mapping[str, str]) -> dict[str, str]:
    """Return of an environment what concerns the platform: PATH and the like are the image's own."""
    return {name: value for name, value in environment.items() if name.startswith("EYDP_") or "_EMULATOR_" in name}


def is_root() -> bool:
    """Whether containers can be run at all."""
    return os.geteuid() == 0
