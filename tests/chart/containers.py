"""The containers of a rendered release as processes: command, arguments, environment, probes, grace period."""

import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.services import import_path
from support.chart import named, pod_template, quantity, settings_of
from support.manifests import Manifest
from support.programs import until
from support.sandbox import contained, forbidden

#: What the images set (their Dockerfiles), but for the place of the code.
IMAGE_ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1"}


@dataclass
class Container:
    """One container of a release; `start` runs it, `said` is what it wrote."""

    release: Sequence[Manifest]
    owner: str
    process: subprocess.Popen[bytes] | subprocess.Popen[str] | None = None
    log: Path = Path()
    secrets: Path | None = None

    @property
    def pod(self) -> Manifest:
        pod = pod_template(named(self.release, self.owner))
        assert pod is not None
        return pod

    @property
    def spec(self) -> Manifest:
        (container,) = self.pod["spec"]["containers"]
        return dict(container)

    @property
    def command(self) -> list[str]:
        """The command line, with this interpreter as the image's `python`."""
        words = [*self.spec["command"], *self.spec.get("args", [])]
        assert words[0] == "python"
        return [sys.executable, *words[1:]]

    @property
    def environment(self) -> dict[str, str]:
        """What the container would see, but for the addresses that it listens at: here all pods share one network.

        The program chooses the ports. One that is chosen for it, among those that systems hand to outgoing connections,
        may be such a connection's by the time it has started.
        """
        given = {**settings_of(self.release, self.pod), **{v["name"]: v["value"] for v in self.spec["env"]}}
        for port in self.spec.get("ports", []):
            of = {"metrics": "METRICS", "http": "PUSH"}[port["name"]]
            assert given[f"EYDP_{of}_PORT"] == str(port["containerPort"])
            assert given[f"EYDP_{of}_HOST"] == "0.0.0.0"
            given |= {f"EYDP_{of}_HOST": "127.0.0.1", f"EYDP_{of}_PORT": "0"}
        return {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "PYTHONPATH": import_path_of_all(),
            **IMAGE_ENVIRONMENT,
            **given,
        }

    @property
    def mounted(self) -> tuple[Path, str] | None:
        """The folder with this container's secret files, and where it finds them; None when it mounts none."""
        at = [mount["mountPath"] for mount in self.spec["volumeMounts"] if mount["name"] == "secrets"]
        if not at:
            return None
        assert self.secrets is not None, f"{self.owner} mounts secrets: say where they are"
        return self.secrets, at[0]

    def start(self, folder: Path) -> None:
        """Start it: in the sandbox where the machine allows it, else plainly."""
        self.log = folder / f"{self.owner.replace('/', '-')}.log"
        context = self.pod["spec"]["securityContext"]
        with self.log.open("w") as output:
            if not forbidden():
                (tmp,) = (v["emptyDir"]["sizeLimit"] for v in self.pod["spec"]["volumes"] if v["name"] == "tmp")
                self.process = contained(
                    self.command,
                    self.environment,
                    user=context["runAsUser"],
                    tmp_size=str(int(quantity(tmp))),
                    secrets=self.mounted,
                    output=output.fileno(),
                )
                return
            private = tempfile.mkdtemp(dir=folder)
            environment = {name: value.replace("/tmp", private) for name, value in self.environment.items()}  # noqa: S108 - where the pod writes
            if self.mounted:
                here, there = self.mounted
                environment = {name: value.replace(there, str(here)) for name, value in environment.items()}
            self.process = subprocess.Popen(self.command, env=environment, cwd=private, stdout=output, stderr=output)

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def port(self, name: str) -> int | None:
        """The port that the program chose for one of the container's, as it says; None before it does."""
        assert name in {port["name"] for port in self.spec["ports"]}
        found = re.search({"metrics": r'"metrics_port": ?(\d+)', "http": r'"port": ?(\d+)'}[name], self.said)
        return int(found[1]) if found else None

    def probe(self, kind: str) -> bool:
        """Whether one probe passes."""
        get = self.spec[f"{kind}Probe"]["httpGet"]
        assert get["port"] == "metrics"
        listening = self.port("metrics")
        if listening is None:
            return False
        url = f"http://127.0.0.1:{listening}{get['path']}"
        try:
            with urllib.request.urlopen(url, timeout=self.spec[f"{kind}Probe"]["timeoutSeconds"]) as answer:
                return bool(answer.status == 200)
        except OSError:  # an answer other than 200 is one too
            return False

    def passes(self, kind: str) -> None:
        """Return when a probe passes; fail when the process ends before, or when the kubelet would give up."""
        probe = self.spec["startupProbe"]

        def passing() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.said
            return self.probe(kind)

        until(
            passing, f"{self.owner} passes its {kind} probe", seconds=probe["periodSeconds"] * probe["failureThreshold"]
        )

    def ends(self, *, code: int = 0) -> str:
        """Wait for the end of a container that ends by itself, ten minutes at most; return what it said."""
        assert self.process is not None
        assert self.process.wait(timeout=600) == code, self.said
        return self.said

    def stops(self) -> None:
        """SIGTERM, and the end within the grace period."""
        assert self.process is not None
        self.process.terminate()
        grace = self.pod["spec"]["terminationGracePeriodSeconds"]
        assert self.process.wait(timeout=grace) == 0, self.said

    def kill(self) -> None:
        """Leave nothing behind."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def import_path_of_all() -> str:
    """Return what stands for /app in the images: the folders of all packages."""
    root = Path(__file__).parents[2]
    folders = ("common", "services/poller", "services/consumer", "jobs/batch", "jobs/dbt", "local", "cli")
    return ":".join([*(str(root / folder) for folder in folders), import_path()])


def emulators(stack_env: Mapping[str, str]) -> dict[str, Any]:
    """Return the values with which a release finds the embedded stack."""
    return {
        "project": stack_env["EYDP_PROJECT"],
        "emulators": {
            "pubsub": stack_env["PUBSUB_EMULATOR_HOST"],
            "storage": stack_env["STORAGE_EMULATOR_HOST"],
            "bigquery": http(stack_env["BIGQUERY_EMULATOR_HOST"]),
            "bigqueryStorage": re.sub("^http://", "", stack_env["BIGQUERY_STORAGE_EMULATOR_HOST"]),
        },
        "config": {"EYDP_SOURCE_URL": stack_env["EYDP_SOURCE_URL"], "EYDP_POLLER_INTERVAL_SECONDS": 1},
    }


def http(address: str) -> str:
    """An address with its scheme."""
    return address if "://" in address else f"http://{address}"
