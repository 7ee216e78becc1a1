"""skaffold.yaml is valid, names what is there, and its file sync reaches the code that a program runs."""

import fnmatch
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from support.chart import pods, rendered
from support.manifests import ROOT, SCHEMAS, kustomize

CONFIGS = list(yaml.safe_load_all((ROOT / "skaffold.yaml").read_text()))
PROFILES = [(config, profile) for config in CONFIGS for profile in config.get("profiles", ())]
IMAGES = {"poller", "consumer", "batch", "dbt", "eydp"}
SYNC = ROOT / "k8s" / "local" / "sync"


def sections(name: str, profile: str = "") -> Iterator[Any]:
    """The sections of all configs called `name`, outside profiles and in the given one, or in all."""
    for config in CONFIGS:
        yield from [config[name]] if name in config else []
    for _, each in PROFILES:
        if name in each and profile in {"", each["name"]}:
            yield each[name]


def artifacts(profile: str = "") -> list[dict[str, Any]]:
    return [artifact for build in sections("build", profile) for artifact in build.get("artifacts", ())]


def releases() -> list[dict[str, Any]]:
    return [release for deploy in sections("deploy") for release in deploy.get("helm", {}).get("releases", ())]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config["metadata"]["name"])
def test_every_config_is_valid(config: dict[str, Any]) -> None:
    schema = json.loads((SCHEMAS / "skaffold-v4beta13.json").read_text())
    assert config["apiVersion"] == "skaffold/v4beta13"
    merged = json.loads(json.dumps(config))  # anchors and merge keys resolved
    assert [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(merged)] == []


def test_the_schema_refuses_what_is_no_key() -> None:
    schema = json.loads((SCHEMAS / "skaffold-v4beta13.json").read_text())
    wrong = {**CONFIGS[1], "biuld": {}}
    assert list(jsonschema.Draft7Validator(schema).iter_errors(wrong))


def test_the_profiles_are_there() -> None:
    assert {profile["name"] for _, profile in PROFILES} == {"local", "gke", "test"}
    contexts = {a["kubeContext"] for _, p in PROFILES if p["name"] == "local" for a in p["activation"]}
    assert contexts == {"kind-.*", "minikube", "k3d-.*"}


def test_every_image_of_the_platform_is_built() -> None:
    assert {artifact["image"] for artifact in CONFIGS[1]["build"]["artifacts"]} == IMAGES
    assert {artifact["image"] for artifact in artifacts("local")} == IMAGES | {"local", "sync-base"}


def test_every_file_that_is_named_is_there() -> None:
    for artifact in artifacts():
        dockerfile = artifact.get("docker", {}).get("dockerfile", "Dockerfile")
        assert (ROOT / artifact["context"] / dockerfile).is_file(), artifact["image"]
    for release in releases():
        assert (ROOT / release["chartPath"] / "Chart.yaml").is_file()
        assert all((ROOT / name).is_file() for name in release["valuesFiles"])
    for manifests in sections("manifests"):
        assert all(kustomize(ROOT / path) for path in manifests["kustomize"]["paths"])


@pytest.mark.parametrize("artifact", [a for a in artifacts("local") if "sync" in a], ids=lambda a: a["image"])
def test_file_sync_takes_each_python_file_that_the_image_holds_to_its_place(artifact: dict[str, Any]) -> None:
    dockerfile = (ROOT / artifact["docker"]["dockerfile"]).read_text()
    copied = dict(re.findall(r"^COPY (\S+) (/app/\S+)$", dockerfile, re.MULTILINE))
    assert copied
    rules = artifact["sync"]["manual"]
    for source, place in copied.items():
        files = [path.relative_to(ROOT) for path in (ROOT / source).rglob("*.py")]
        assert files
        for file in files:
            (rule,) = [rule for rule in rules if fnmatch.fnmatch(str(file), rule["src"].replace("**/*", "*"))]
            moved = Path(rule["dest"]) / file.relative_to(rule["strip"])
            assert moved == Path("/tmp/app") / place.removeprefix("/app/") / file.relative_to(source)  # noqa: S108 - as the pods have it


@pytest.mark.parametrize("artifact", artifacts("local"), ids=lambda a: a["image"])
def test_local_images_stand_on_the_base_that_sync_needs(artifact: dict[str, Any]) -> None:
    if artifact["image"] == "sync-base":
        return
    dockerfile = ROOT / artifact["docker"]["dockerfile"]
    if "requires" in artifact:
        assert artifact["requires"] == [{"image": "sync-base", "alias": "BASE"}]
        assert re.search(r"^FROM \$\{BASE\}$", dockerfile.read_text(), re.MULTILINE)


def test_the_base_that_sync_needs_is_the_one_of_the_images() -> None:
    def base(path: Path) -> str:
        found = re.search(r"^ARG BASE=(\S+)$", path.read_text(), re.MULTILINE)
        assert found, path
        return found[1]

    assert {base(ROOT / artifact["docker"]["dockerfile"]) for artifact in artifacts() if "docker" in artifact} == {
        base(SYNC / "Dockerfile")
    }


def test_the_chart_gets_the_image_and_tag_of_every_artifact() -> None:
    assert len(releases()) == 2
    for release in releases():
        values = release["setValueTemplates"]
        for image in IMAGES:
            assert values[f"images.{image}.repository"] == f"{{{{.IMAGE_REPO_{image}}}}}"
            assert values[f"images.{image}.tag"] == f"{{{{.IMAGE_TAG_{image}}}}}"


def test_the_values_that_are_set_are_values_of_the_chart() -> None:
    known = yaml.safe_load((ROOT / "helm/ey-data-platform/values.yaml").read_text())
    for release in releases():
        for key in release["setValueTemplates"]:
            place = known
            for part in key.split("."):
                assert part in place, key
                place = place[part]


def test_no_tag_policy_gives_latest_which_the_chart_refuses() -> None:
    policies = [build["tagPolicy"] for build in sections("build")]
    assert policies
    assert all(set(policy) <= {"gitCommit", "inputDigest"} for policy in policies)


def test_what_is_forwarded_is_a_port_of_a_service_or_a_program() -> None:
    services = {
        o["metadata"]["name"]: {port["port"] for port in o["spec"]["ports"]}
        for o in (
            *kustomize(ROOT / "k8s/local/base"),
            *rendered(files=[ROOT / "helm/ey-data-platform/values-local.yaml"]),
        )
        if o["kind"] == "Service"
    }
    local = [forward for section in sections("portForward") for forward in section]
    for forward in local:
        if forward["resourceType"] == "service":
            assert forward["port"] in services[forward["resourceName"]]
        else:
            assert forward["resourceName"] in {f"ey-data-platform-{name}" for name in ("poller", "push", "consumer")}
    ports = [forward["localPort"] for forward in local]
    assert len(set(ports)) == len(ports)


def test_the_cluster_gets_a_signing_key_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    values = yaml.safe_load((ROOT / "helm/ey-data-platform/values-local.yaml").read_text())["secrets"]
    (command,) = [
        hook["host"]["command"]
        for deploy in sections("deploy", "local")
        for hook in deploy.get("kubectl", {}).get("hooks", {}).get("before", [])
        if "push-keys" in hook["host"]["command"][-1]
    ]
    name, file = values["existingSecret"], values["files"][0]["file"]
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(
        f"""#!/bin/sh
case "$*" in
*"get secret {name}") test -e {tmp_path}/made ;;
*"create secret generic {name} --from-file={file}=/dev/stdin") cat >{tmp_path}/made ;;
*) exit 64 ;;
esac
"""
    )
    kubectl.chmod(0o755)

    def key() -> bytes:
        subprocess.run(command, check=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, timeout=60)
        return (tmp_path / "made").read_bytes()

    made = key()
    assert re.fullmatch(rb"[0-9a-f]{64}", made)
    assert key() == made


def test_the_emulators_are_deployed_before_the_chart_asks_them() -> None:
    emulators, platform = CONFIGS
    assert emulators["metadata"]["name"] == "emulators"
    assert platform["requires"] == [
        {"configs": ["emulators"], "activeProfiles": [{"name": "local", "activatedBy": ["local"]}]}
    ]


#: Loads the file as the base image does, lets it do its work for these folders, and starts the program.
START = """\
import runpy, sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
spec = spec_from_file_location("sitecustomize_of_the_base", sys.argv[1])
module = module_from_spec(spec)
spec.loader.exec_module(module)
module.use_copy(Path(sys.argv[2]), Path(sys.argv[3]))
runpy.run_module("program", run_name="__main__")
"""


def started(app: Path, target: Path) -> str:
    """What a program of the image prints that is started as in a pod of the profile local."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(app),
        "PYTHONSAFEPATH": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SYNC_SOURCE": "/nowhere",  # what the file does by itself, when it is not root, is asked for below
    }
    command = [sys.executable, "-c", START, str(SYNC / "sitecustomize.py"), str(app), str(target)]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=60).stdout


@pytest.fixture(name="app")
def app_fixture(tmp_path: Path) -> Path:
    """An image's /app with a program in two modules."""
    app = tmp_path / "app"
    (app / "program").mkdir(parents=True)
    (app / "program" / "__init__.py").write_text("")
    (app / "program" / "part.py").write_text("WORD = 'built'\n")
    (app / "program" / "__main__.py").write_text("from program.part import WORD\nprint(WORD)\n")
    (tmp_path / "volume").mkdir()
    return app


def test_a_program_runs_the_code_of_its_image_until_a_file_is_synced(app: Path, tmp_path: Path) -> None:
    target = tmp_path / "volume" / "app"
    assert started(app, target) == "built\n"
    (target / "program" / "part.py").write_text("WORD = 'synced'\n")
    assert started(app, target) == "synced\n"


def test_another_volume_begins_with_the_image_again(app: Path, tmp_path: Path) -> None:
    first = tmp_path / "volume" / "first"
    started(app, first)
    (first / "program" / "part.py").write_text("WORD = 'synced'\n")
    assert started(app, tmp_path / "volume" / "second") == "built\n"


def test_compiled_files_of_the_image_do_not_hide_what_is_synced(app: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(app)]
    subprocess.run(command, check=True, timeout=60)
    target = tmp_path / "volume" / "app"
    assert started(app, target) == "built\n"
    (target / "program" / "part.py").write_text("WORD = 'synced'\n")
    assert started(app, target) == "synced\n"


@pytest.mark.parametrize("release", releases(), ids=lambda release: Path(release["valuesFiles"][0]).stem)
def test_the_pods_of_the_release_run_the_images_that_were_built(release: dict[str, Any]) -> None:
    def filled(text: str) -> str:
        return re.sub(r"\{\{\.(\w+)\}\}", lambda name: name[1].lower().replace("image_", "", 1), text)

    sets = [f"{key}={filled(value)}" for key, value in release["setValueTemplates"].items()]
    manifests = rendered(*sets, files=[ROOT / name for name in release["valuesFiles"]])
    images = {container["image"] for _, pod in pods(manifests) for container in pod["spec"]["containers"]}
    assert images == {f"repo_{image}:tag_{image}" for image in IMAGES}


def test_the_programs_that_file_sync_restarts_have_a_volume_where_it_writes() -> None:
    manifests = [
        *rendered(files=[ROOT / "helm/ey-data-platform/values-local.yaml"]),
        *kustomize(ROOT / "k8s/local/base"),
    ]
    for _, pod in pods(manifests):
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        (container,) = pod["spec"]["containers"]
        (mount,) = [mount for mount in container["volumeMounts"] if mount["mountPath"] == "/tmp"]  # noqa: S108 - as the pods have it
        assert "emptyDir" in volumes[mount["name"]]
