"""The linters of `make lint` notice what they are there for."""

import shutil
from pathlib import Path

import lint_deploy
import tools
from support.chart import CHART


def test_what_is_deployed_has_no_complaint_but_for_the_chart_which_make_lint_renders() -> None:
    assert [*lint_deploy.dockerfiles(), *lint_deploy.skaffold()] == []


def test_a_chart_that_helm_lints_with_a_warning_is_a_complaint(tmp_path: Path) -> None:
    folder = tmp_path / "ey-data-platform"
    shutil.copytree(CHART, folder, ignore=shutil.ignore_patterns("ci", "values-*"))
    (folder / "ci").mkdir()
    shutil.copy(CHART / "ci" / "defaults-values.yaml", folder / "ci")
    assert list(lint_deploy.chart(folder)) == []

    (folder / "templates" / "broken.yaml").write_text("metadata:\n  name: {{ .Values.unknown.key }}\n")

    (complaint,) = lint_deploy.chart(folder)
    assert "helm lint with defaults-values.yaml" in complaint
    assert "broken.yaml" in complaint


def test_a_dockerfile_that_hadolint_dislikes_is_a_complaint(tmp_path: Path) -> None:
    (tmp_path / "cli").mkdir()
    (tmp_path / "cli" / "Dockerfile").write_text("FROM python\nRUN cd /tmp && sudo pip install aiohttp\n")

    (complaint,) = lint_deploy.dockerfiles(tmp_path)

    assert "DL3006" in complaint
    assert "DL3004" in complaint


def test_a_skaffold_file_that_its_schema_refuses_is_a_complaint(tmp_path: Path) -> None:
    file = tmp_path / "skaffold.yaml"
    file.write_text("apiVersion: skaffold/v4beta13\nkind: Config\nbuilds: {}\n")

    assert any("builds" in complaint for complaint in lint_deploy.skaffold(file))


def test_a_tool_is_taken_out_once_and_runs(tmp_path: Path) -> None:
    program = tools.tool("helm", tmp_path / "tools")
    first = program.stat()

    assert tools.tool("helm", tmp_path / "tools") == program
    assert program.stat() == first or not program.is_relative_to(tmp_path)
    assert lint_deploy.run([str(program), "version"]) == ""


def test_an_unknown_tool_is_a_usage_error() -> None:
    assert tools.main(["--path", "docker"]) == 64
    assert tools.main([]) == 64
