"""What every Dockerfile must keep to, read from its text: it costs nothing and needs no builder."""

import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from image_builder.catalogue import COMMON, IMAGES, ROOT, Image
from images.dockerfile import Dockerfile, Instruction, parse

each_image = pytest.mark.parametrize("image", IMAGES.values(), ids=lambda image: image.name)

#: What of the repository an image has besides packages.
PROJECT_OF_DBT = {
    f"jobs/dbt/{name}" for name in ("dbt_project.yml", "profiles.yml", "macros", "models", "snapshots", "tests")
}


def read(image: Image) -> Dockerfile:
    return parse(image.dockerfile.read_text(encoding="utf-8"))


def copied_from_the_context(dockerfile: Dockerfile) -> dict[str, str]:
    """Source and destination of each COPY that takes from the repository."""
    found = {}
    for stage in dockerfile.stages:
        for copy in stage.all("COPY"):
            if "from" not in copy.flags:
                *sources, destination = copy.words
                found.update(dict.fromkeys(sources, destination))
    return found


def test_every_dockerfile_beside_a_program_is_an_image_of_the_catalogue() -> None:
    found = [path for folder in ("services", "jobs", "local", "cli") for path in (ROOT / folder).rglob("Dockerfile*")]
    assert sorted(found) == sorted(image.dockerfile for image in IMAGES.values())


def test_every_package_of_the_project_is_in_some_image() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        packages = tomllib.load(file)["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(packages) == sorted({COMMON, *(package for image in IMAGES.values() for package in image.packages)})


@each_image
def test_an_image_has_its_own_packages_and_no_others(image: Image) -> None:
    copied = copied_from_the_context(read(image))
    expected = {source: f"/app/{Path(source).name}" for source in (COMMON, *image.packages)}
    rest = PROJECT_OF_DBT if image.name == "dbt" else set()
    assert {source: to for source, to in copied.items() if source in expected} == expected
    assert set(copied) - set(expected) - rest == {f"requirements/{image.lock}.txt"}


@each_image
def test_dependencies_come_from_the_hashed_lock_in_a_layer_of_their_own(image: Image) -> None:
    stage = read(image).stages[0]
    lock = f"requirements/{image.lock}.txt"
    assert [copy.words for copy in stage.all("COPY")] == [[lock, "/build/requirements.txt"]]
    (install,) = [run for run in stage.all("RUN") if "pip install" in run.text or " install " in run.text]
    assert {"--require-hashes", "--no-deps"} <= set(install.text.split())
    assert "--only-binary :all:" in install.text
    assert "--hash=sha256:" in (ROOT / lock).read_text(encoding="utf-8")


@each_image
def test_the_base_is_pinned_by_digest_in_an_argument_that_all_images_share(image: Image) -> None:
    dockerfile = read(image)
    base = dockerfile.arguments["BASE"]
    assert re.fullmatch(r"docker\.io/library/python:3\.13-slim-bookworm@sha256:[0-9a-f]{64}", base)
    assert base == read(IMAGES["poller"]).arguments["BASE"]
    names = {stage.name for stage in dockerfile.stages}
    assert {stage.base for stage in dockerfile.stages} <= {"${BASE}", *names}
    assert dockerfile.final.base == "${BASE}"


@each_image
def test_the_program_runs_as_a_number_and_is_process_1(image: Image) -> None:
    final = read(image).final
    assert final.one("USER").text == "10001:10001"
    assert final.one("STOPSIGNAL").text == "SIGTERM"
    assert final.one("ENTRYPOINT").exec_form[:2] == ["python", "-m"]
    assert all(command.exec_form for command in final.all("CMD"))
    assert final.instructions.index(final.one("USER")) > final.instructions.index(final.all("COPY")[-1])


@each_image
def test_nothing_of_the_final_stage_needs_a_shell_or_the_context(image: Image) -> None:
    final = read(image).final
    assert all(run.exec_form for run in final.all("RUN"))
    assert all("from" in copy.flags for copy in final.all("COPY"))
    assert not final.all("ADD")


@each_image
def test_code_is_compiled_at_build_and_never_written_at_run_time(image: Image) -> None:
    dockerfile = read(image)
    environment = dockerfile.final.one("ENV").text
    assert "PYTHONDONTWRITEBYTECODE=1" in environment
    assert "TMPDIR=/tmp" in environment
    compiled = [run.text for stage in dockerfile.stages for run in stage.all("RUN") if "compileall" in run.text]
    assert [what for what in ("/opt/venv/lib", "/app", "/usr/local/lib") if any(what in run for run in compiled)] == [
        "/opt/venv/lib",
        "/app",
        "/usr/local/lib",
    ]


@each_image
def test_programs_that_stay_have_a_health_check_and_jobs_have_none(image: Image) -> None:
    checks = read(image).final.all("HEALTHCHECK")
    assert bool(checks) == (image.name in {"poller", "consumer"})
    for check in checks:
        command = check.exec_form
        assert command[0] == "python"
        compile(command[-1], "HEALTHCHECK", "exec")
        assert "/livez" in command[-1]


@each_image
def test_the_labels_of_an_image_come_from_arguments(image: Image) -> None:
    final = read(image).final
    arguments = {argument.text.split("=")[0] for argument in final.all("ARG")}
    assert {"VERSION", "REVISION", "CREATED", "SOURCE"} <= arguments
    labels = final.one("LABEL").text
    for name in ("version", "revision", "created", "source"):
        assert f'org.opencontainers.image.{name}="${{{name.upper()}}}"' in labels
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    assert f"VERSION={version}" in {argument.text for argument in final.all("ARG")}


@each_image
def test_no_dockerfile_names_where_packages_come_from(image: Image) -> None:
    text = image.dockerfile.read_text(encoding="utf-8")
    found = re.findall(
        r"index-url|find-links|trusted-host|https?://(?!127\.0\.0\.1)\S+|:latest|apt-get|curl|wget", text
    )
    assert found == []


def test_the_builder_sees_the_locks_and_the_packages_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = [line[1:].rstrip("/") for line in lines if line.startswith("!")]
    needed = {source for image in IMAGES.values() for source in copied_from_the_context(read(image))}
    assert "*" in lines
    assert [path for path in needed if not any(fnmatch(path, pattern) for pattern in allowed)] == []
    assert [pattern for pattern in allowed if not any(fnmatch(path, pattern) for path in needed)] == []


def test_hadolint_has_no_complaint() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    files = [str(image.dockerfile) for image in IMAGES.values()]
    done = subprocess.run([str(hadolint), "--no-color", *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_parser_reads_flags_exec_forms_and_continued_lines() -> None:
    text = """
# a comment
ARG BASE=x@sha256:1
FROM ${BASE} AS one
RUN --mount=type=cache,target=/c --mount=type=secret,id=s \\
    # a comment between
    pip install \\
    a
FROM one
COPY --from=one /a /b
HEALTHCHECK --interval=1s CMD ["python", "-c", "[1]"]
"""
    dockerfile = parse(text)
    assert dockerfile.arguments == {"BASE": "x@sha256:1"}
    assert [(stage.base, stage.name) for stage in dockerfile.stages] == [("${BASE}", "one"), ("one", "")]
    mounts = {"mount": ["type=cache,target=/c", "type=secret,id=s"]}
    assert dockerfile.stages[0].one("RUN") == Instruction("RUN", mounts, "pip install a")
    assert dockerfile.final.one("COPY").flags == {"from": ["one"]}
    assert dockerfile.final.one("HEALTHCHECK").exec_form == ["python", "-c", "[1]"]
