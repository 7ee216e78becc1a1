"""Every image, built with buildah and run with runc as a cluster would run it.

Skipped only where there is no buildah. Needs root, runc, and mmdebstrap unless EYDP_TEST_BASE names a base image.
"""

import http.client
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

import pytest

from chart.mounted import publish
from image_builder import index
from image_builder.build import build
from image_builder.catalogue import IMAGES, ROOT
from image_builder.command import output
from image_builder.size import megabytes, mounted
from images.container import SECRETS, Built, for_containers, run, running
from images.recipes import RECIPE, recipe
from support import programs
from support.free_port import free_port
from support.programs import own_names, until

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        shutil.which("buildah") is None, reason="buildah is not installed; Debian has it in the package buildah"
    ),
]

type Images = Callable[[str], Built]

each_name = pytest.mark.parametrize("name", IMAGES)


@each_name
def test_an_image_runs_as_a_number_stops_on_sigterm_and_says_what_it_is(image: Images, name: str) -> None:
    config = image(name).config
    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Entrypoint"][:2] == ["python", "-m"]
    assert bool(config.get("Healthcheck")) == (name in {"poller", "consumer"})
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in config["Labels"].items()}
    assert labels["version"] == RECIPE.version
    assert labels["revision"] == RECIPE.revision
    assert labels["source"] == RECIPE.source
    assert labels["created"] == "2023-11-14T22:13:20Z"
    assert labels["licenses"] == "Apache-2.0"
    assert labels["title"]
    assert labels["description"]


@each_name
def test_nothing_of_the_builders_package_index_stays_in_an_image(image: Images, name: str) -> None:
    """Neither in its configuration and history nor in a file."""
    told = output(["buildah", "inspect", "--type", "image", image(name).reference])
    hosts = re.findall(r"https?://([^/\s]+)", json.dumps(index.settings()))
    assert [host for host in hosts if host in told] == []
    with mounted(image(name).reference) as root:
        found = [
            path
            for path in ("etc/pip.conf", "run/secrets", "root/.cache", "var/cache/pip", "build")
            if (root / path).exists()
        ]
        names = [path for path in root.rglob("*") if path.name in {"pip.conf", ".env", ".git", "credentials.json"}]
    assert found == []
    assert names == []


@each_name
def test_an_image_has_only_what_its_lock_and_its_dockerfile_name(image: Images, name: str) -> None:
    lock = (ROOT / f"requirements/{IMAGES[name].lock}.txt").read_text(encoding="utf-8")
    locked = {word.lower().replace("_", "-") for word in re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.MULTILINE)}
    with mounted(image(name).reference) as root:
        infos = (root / "opt/venv/lib").glob("python*/site-packages/*.dist-info")
        installed = {info.name.split("-")[0].lower().replace("_", "-") for info in infos}
        application = {path.name for path in (root / "app").iterdir()}
    assert {each.replace(".", "-") for each in installed} <= {each.replace(".", "-") for each in locked}
    assert installed
    packages = {Path(package).name for package in IMAGES[name].packages}
    assert application == packages | {"dataplatform"} | ({"project"} if name == "dbt" else set())


@each_name
def test_every_module_of_an_image_is_compiled(image: Images, name: str) -> None:
    with mounted(image(name).reference) as root:
        sources = [*(root / "app").rglob("*.py"), *(root / "usr/local/lib/python3.13/asyncio").glob("*.py")]
        sources += (root / "opt/venv/lib").glob("python*/site-packages/google/cloud/**/*.py")
        missing = [
            source
            for source in sources
            if not (source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc").is_file()
        ]
        writable = [path for path in (root / "app").rglob("*") if path.stat().st_uid or path.stat().st_mode & 0o022]
    assert missing == []
    assert writable == []


@pytest.mark.parametrize("name", ["poller", "consumer"])
def test_a_service_adds_less_than_200_megabytes_to_the_base(image: Images, base: str, name: str) -> None:
    added = megabytes(image(name).reference) - megabytes(base)
    assert 0 < added < 200


@each_name
def test_help_is_printed_where_nothing_can_be_written(image: Images, name: str, tmp_path: Path) -> None:
    printed = run(image(name), "--help", folder=tmp_path, tmp=name == "dbt")
    assert "usage" in printed.lower()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("poller", []), ("consumer", []), ("batch", []), ("dbt", ["build"]), ("eydp", ["doctor"])],
)
def test_a_missing_setting_is_one_sentence_and_its_exit_code(
    image: Images, name: str, arguments: list[str], tmp_path: Path
) -> None:
    printed = run(image(name), *arguments, folder=tmp_path, code=78)
    assert "EYDP_PROJECT" in printed
    assert "Traceback" not in printed


def test_the_images_take_a_shops_data_to_the_marts(image: Images, stack_env: dict[str, str], tmp_path: Path) -> None:
    """Provision, a poll, a consumer, the batch loads, dbt, and a verification that finds nothing wrong."""
    environment = for_containers(own_names(stack_env))

    def program(name: str, *arguments: str, tmp: bool = True) -> str:
        return run(image(name), *arguments, folder=tmp_path, environment=environment, tmp=tmp)

    program("eydp", "provision", tmp=False)
    program("poller", "--once", tmp=False)
    program("consumer", "--until-idle", tmp=False)
    program("batch", tmp=False)
    program("dbt", "build")
    verified = program("eydp", "verify", "--json")
    checks = json.loads(verified[verified.index("[") :])
    assert checks
    assert [check for check in checks if not check["agrees"]] == []
    for entity in ("carts_events", "quarantine"):
        assert '"replayed"' in program("eydp", "replay", "--entity", entity, tmp=False)
    assert '"compacted"' in program("eydp", "compact", tmp=False)
    program("eydp", "doctor")
    program("dbt", "debug", "--connection")


@pytest.mark.parametrize(
    ("name", "program"),
    [("poller", "carts_poller"), ("poller", "carts_poller.push"), ("consumer", "carts_consumer")],
)
def test_a_service_becomes_ready_is_healthy_and_stops_on_sigterm_as_process_1(
    image: Images,
    stack_env: dict[str, str],
    tmp_path: Path,
    name: str,
    program: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    port = free_port()
    names = own_names(stack_env) | {"EYDP_METRICS_PORT": str(port)}
    programs.run(names, "eydp", "provision")
    publish(tmp_path / "secrets", {"push-keys/first": token_hex(32).encode()})
    pushing = {"EYDP_PUSH_PORT": "0", "EYDP_PUSH_KEYS_DIR": f"{SECRETS}/push-keys"}
    with running(
        image(name),
        folder=tmp_path,
        environment=for_containers(names | pushing),
        tmp=False,
        secrets=tmp_path / "secrets",
        entrypoint=["python", "-m", program],
    ) as container:
        until(lambda: _status(port, "/readyz") == 200 or container.process.poll() is not None, "ready", seconds=60)
        seconds = time.monotonic() - container.started
        counted = container.inside("python", "-S", "-c", "print(open('/proc/1/stat').read().split()[13:15])")
        cpu = sum(int(ticks) for ticks in re.findall(r"\d+", counted.stdout)) / os.sysconf("SC_CLK_TCK")
        with capsys.disabled():
            print(f"\n{program}: start to ready {seconds:.2f} s, {cpu:.2f} s of CPU")  # noqa: T201 - a measurement
        first = container.inside("python", "-S", "-c", "print(open('/proc/1/cmdline').read().replace(chr(0), ' '))")
        check = container.inside(*image(name).config["Healthcheck"]["Test"][1:])
        code, printed = container.stop("TERM", 40)
    assert first.stdout.split()[:3] == ["python", "-m", program]
    assert check.returncode == 0, check.stderr
    assert code == 0, printed
    assert f"{'push service' if program.endswith('.push') else name} stopped" in printed


@pytest.mark.parametrize("name", ["poller", "consumer"])
def test_the_health_check_fails_where_nothing_listens(image: Images, name: str, tmp_path: Path) -> None:
    command = image(name).config["Healthcheck"]["Test"][1:]
    printed = run(
        image(name),
        folder=tmp_path,
        environment={"EYDP_METRICS_PORT": str(free_port())},
        entrypoint=command,
        code=1,
    )
    assert "ConnectionRefusedError" in printed


def test_the_emulators_start_from_their_image(image: Images, tmp_path: Path) -> None:
    data = f"{image('local').environment['TMPDIR']}/stack"
    with running(image("local"), ["up", "--data-dir", data], folder=tmp_path) as container:
        printed = ""
        assert container.process.stdout
        for line in container.process.stdout:
            printed += line
            if "BigQuery" in line or "bigquery" in line:
                break
        code, rest = container.stop("TERM", 60)
    assert "The stack is up" in printed, printed + rest
    assert code in {0, 143}, rest


def test_the_same_recipe_makes_the_same_layers(base: str) -> None:
    """Without any cache, so that every step is done again."""
    layers = []
    for name in ("localhost/ey-data-platform-test/again:1", "localhost/ey-data-platform-test/again:2"):
        build(IMAGES["poller"], replace(recipe(base), cached=False), name)
        layers.append(json.loads(output(["buildah", "inspect", "--type", "image", name]))["OCIv1"]["rootfs"])
        output(["buildah", "rmi", name])
    assert layers[0] == layers[1]


def _status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()
