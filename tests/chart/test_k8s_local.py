"""k8s/local: valid, restricted, where the chart's local values look for it, and its commands really start."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from localcloud.services import import_path
from support.chart import errors
from support.free_port import free_port
from support.manifests import ROOT, Manifest, kustomize

LOCAL = ROOT / "k8s" / "local"
VERSIONS = ("1.30", "1.31", "1.32", "1.33", "1.34", "1.35")
START_SECONDS = 90.0


def objects(kind: str = "", folder: str = "base") -> list[Manifest]:
    return [o for o in kustomize(LOCAL / folder) if not kind or o["kind"] == kind]


def pod(name: str, folder: str = "base") -> dict[str, Any]:
    (deployment,) = [o for o in objects("Deployment", folder) if o["metadata"]["name"] == name]
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


NAMES = [o["metadata"]["name"] for o in objects("Deployment")]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("folder", ["base", "persistent"])
def test_every_object_is_valid_in_every_supported_kubernetes(folder: str, version: str) -> None:
    for o in objects(folder=folder):
        assert errors(o, version) == ()


@pytest.mark.parametrize("name", NAMES)
def test_every_pod_is_restricted(name: str) -> None:
    spec = pod(name)
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not set(spec) & {"hostNetwork", "hostPID", "hostIPC"}
    assert all("hostPath" not in volume for volume in spec["volumes"])


@pytest.mark.parametrize("name", NAMES)
def test_every_pod_has_bounds_and_probes(name: str) -> None:
    (container,) = pod(name)["containers"]
    assert set(container["resources"]["requests"]) == set(container["resources"]["limits"]) == {"cpu", "memory"}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] in {port["name"] for port in container["ports"]}
    assert not container["image"].endswith(":latest")


@pytest.mark.parametrize("name", NAMES)
def test_every_service_finds_its_pods_and_their_ports(name: str) -> None:
    (service,) = [o for o in objects("Service") if o["metadata"]["name"] == name]
    (deployment,) = [o for o in objects("Deployment") if o["metadata"]["name"] == name]
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    ports = {port["name"]: port["containerPort"] for port in pod(name)["containers"][0]["ports"]}
    assert {port["targetPort"]: port["port"] for port in service["spec"]["ports"]} == ports


def test_the_chart_looks_for_the_emulators_where_they_are() -> None:
    values = yaml.safe_load((ROOT / "helm/ey-data-platform/values-local.yaml").read_text())
    default = yaml.safe_load((ROOT / "helm/ey-data-platform/values.yaml").read_text())
    at = {(o["metadata"]["name"], port["port"]) for o in objects("Service") for port in o["spec"]["ports"]}
    addresses = [values["emulators"][name] for name in ("pubsub", "storage", "bigquery", "bigqueryStorage")]
    for address in [*addresses, values["config"]["EYDP_SOURCE_URL"]]:
        host, _, port = address.removeprefix("http://").partition(":")
        assert (host, int(port)) in at
    labels = default["emulators"]["podLabels"].items()
    assert all(labels <= o["spec"]["template"]["metadata"]["labels"].items() for o in objects("Deployment"))
    assert f"--project={values['project']}" in pod("bigquery")["containers"][0]["command"]


def test_with_volumes_buckets_and_datasets_outlive_their_pods() -> None:
    claims = {o["metadata"]["name"] for o in objects("PersistentVolumeClaim", "persistent")}
    assert claims == {"gcs", "bigquery"}
    for name in claims:
        volumes = {volume["name"]: volume for volume in pod(name, "persistent")["volumes"]}
        assert volumes["data"] == {"name": "data", "persistentVolumeClaim": {"claimName": name}}


@dataclass(frozen=True)
class Running:
    """A container's command as a process: the address of its probe, and its ports by their names."""

    process: subprocess.Popen[str]
    probe: str
    ports: Mapping[str, int]


@contextmanager
def running(name: str, data: Path, *, called: str = "", **others: str) -> Iterator[Running]:
    """Start a container's command on this machine's own address.

    `called` is its host in place of its Service's name, `others` are addresses in place of other Services.
    """
    (container,) = pod(name)["containers"]
    ports = {port["containerPort"]: free_port() for port in container["ports"]}
    named = {port["name"]: ports[port["containerPort"]] for port in container["ports"]}

    def here(word: str) -> str:
        for service, address in others.items():
            word = re.sub(rf"http://{service}:\d+", address, word)
        word = word.replace(f'"{name}"', f'"{called or name}"')
        word = word.replace("0.0.0.0", "127.0.0.1").replace("/data", str(data))
        return re.sub(r"(?<![:\d])\b\d{4}\b", lambda number: str(ports.get(int(number[0]), number[0])), word)

    command = [sys.executable, *map(here, container["command"][1:])]
    assert container["command"][0] == "python"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": import_path(),
        **{variable["name"]: variable["value"].replace("/tmp", str(data)) for variable in container["env"]},  # noqa: S108 - it is what is replaced
    }
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        get = container["readinessProbe"]["httpGet"]
        yield Running(process, f"http://127.0.0.1:{named[get['port']]}{get['path']}", named)
    finally:
        process.kill()
        process.communicate()


def ask(method: str, address: str, body: bytes | None = None, **more: str) -> tuple[int, bytes, str]:
    """Status, body and location of an answer; raises OSError when there is none. `more` are headers."""
    parts = urlsplit(address)
    with closing(http.client.HTTPConnection(parts.netloc, timeout=5)) as connection:
        connection.request(method, f"{parts.path}?{parts.query}", body, {"User-Agent": "kube-probe/1.35", **more})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.getheader("Location", "")


def ready(one: Running) -> None:
    """Wait until the probe answers; raises AssertionError when the process ends or the time is over."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if one.process.poll() is not None:
            raise AssertionError(one.process.communicate()[1])
        try:
            status, _, _ = ask("GET", one.probe)
        except OSError:
            time.sleep(0.1)
            continue
        assert status == 200, one.probe
        return
    raise AssertionError(f"{one.probe} did not answer")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name == "bigquery" else []) for name in NAMES]
)
def test_the_command_of_a_pod_answers_its_probe_and_ends_on_sigterm(name: str, tmp_path: Path) -> None:
    with running(name, tmp_path) as one:
        ready(one)
        one.process.send_signal(signal.SIGTERM)
        one.process.wait(pod(name)["terminationGracePeriodSeconds"])


def test_cloud_storage_answers_with_addresses_that_other_pods_can_follow(tmp_path: Path) -> None:
    with running("gcs", tmp_path) as one:
        ready(one)
        base = one.probe.partition("/storage")[0]
        assert ask("POST", f"{base}/storage/v1/b?project=local", b'{"name":"bucket"}')[0] == 200
        upload = f"{base}/upload/storage/v1/b/bucket/o?name=n&uploadType="
        assert ask("POST", f"{upload}resumable", b"{}", Host="gcs:4443")[2].startswith("http://gcs:")
        status, answer, _ = ask("POST", f"{upload}media", b"x", Host="gcs:4443")
        assert status == 200
        assert json.loads(answer)["mediaLink"].startswith("http://gcs:4443/")


@pytest.mark.long
def test_the_platform_runs_on_the_emulators_of_the_cluster(tmp_path: Path) -> None:
    with ExitStack() as stack:

        def start(name: str, **others: str) -> Running:
            (tmp_path / name).mkdir()
            return stack.enter_context(running(name, tmp_path / name, called="127.0.0.1", **others))

        shop, pubsub, gcs = start("fakestore"), start("pubsub"), start("gcs")
        bigquery = start("bigquery", gcs=f"http://127.0.0.1:{gcs.ports['http']}")
        for one in (shop, pubsub, gcs, bigquery):
            ready(one)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "EYDP_PROJECT": "local",
            "EYDP_SOURCE_URL": f"http://127.0.0.1:{shop.ports['http']}",
            "PUBSUB_EMULATOR_HOST": f"127.0.0.1:{pubsub.ports['grpc']}",
            "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{gcs.ports['http']}",
            "BIGQUERY_EMULATOR_HOST": f"http://127.0.0.1:{bigquery.ports['rest']}",
            "BIGQUERY_STORAGE_EMULATOR_HOST": f"127.0.0.1:{bigquery.ports['grpc']}",
            "EYDP_DBT_TARGET_PATH": str(tmp_path / "dbt"),
        }
        for command in ("provision", "doctor", "batch", "poll --once", "consume --until-idle", "dbt build", "verify"):
            words = [sys.executable, "-m", "eydp", *command.split()]
            done = subprocess.run(
                words, check=False, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=170
            )
            assert done.returncode == 0, f"eydp {command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
