"""What every file of the repository must keep to, and that each check of it would notice."""

import re
from pathlib import Path, PurePosixPath

import pytest

import check_tree

ROOT = Path(__file__).parents[2]
MODULE = PurePosixPath("common/dataplatform/sample.py")


def test_the_repository_keeps_to_all_of_it() -> None:
    assert check_tree.complaints(ROOT) == []


@pytest.mark.parametrize(
    ("check", "path", "text"),
    [
        (check_tree.no_index_host, "README.md", "pip install -i https://" + "pypi" + ".org/simple x"),
        (check_tree.no_index_host, "package-lock.json", '"https://registry' + ".npm" + 'js.org/x"'),
        (check_tree.no_index_host, "requirements/dev.txt", "--extra-" + "index-url file:///simple"),
        (check_tree.no_index_host, "requirements/dev.txt", "--find" + "-links wheels"),
        (check_tree.no_machine_path, "docs/a.md", "see /ro" + "ot/x"),
        (check_tree.no_machine_path, "docs/a.md", "see " + "/home" + "/somebody/x"),
        (check_tree.no_machine_path, "docs/a.md", "see " + "/Users" + "/somebody/x"),
        (check_tree.no_machine_path, "Makefile", "~/.pyenv/" + "versions/3.13.0/bin/python"),
        (check_tree.no_secret, "k.pem", "-----BEGIN " + "PRIVATE KEY-----"),
        (check_tree.no_secret, "k.pem", "-----BEGIN RSA " + "PRIVATE KEY-----"),
        (check_tree.no_secret, ".env.example", "KEY=AIza" + "x" * 35),
        (check_tree.no_secret, "key.json", '"private_key' + '_id": "0123456789abcdef"'),
        (check_tree.no_secret, "a.yaml", "token: ghp_" + "x" * 36),
        (check_tree.modules_are_short, str(MODULE), "x = 1\n" * 401),
        (check_tree.silenced_checks_have_reasons, str(MODULE), "x = 1  # noqa\n"),
        (check_tree.silenced_checks_have_reasons, str(MODULE), "x = 1  # noqa: S311\n"),
        (check_tree.silenced_checks_have_reasons, str(MODULE), "x = 1  # noqa: S311, S603\n"),
        (check_tree.silenced_checks_have_reasons, str(MODULE), "x = 1  # type: ignore\n"),
        (check_tree.silenced_checks_have_reasons, str(MODULE), "x = 1  # type: ignore[misc]\n"),
        (check_tree.silenced_checks_have_reasons, str(MODULE), "# ruff: noqa: S311\nx = 1\n"),
        (check_tree.silenced_checks_have_reasons, str(MODULE), "# mypy: ignore-errors\nx = 1\n"),
    ],
)
def test_each_check_notices_what_it_is_for(check: check_tree.Check, path: str, text: str) -> None:
    assert list(check(PurePosixPath(path), text))


@pytest.mark.parametrize(
    ("check", "path", "text"),
    [
        (check_tree.no_index_host, "README.md", "pip takes packages from the index that it is set up for"),
        (check_tree.no_machine_path, "services/poller/Dockerfile", "WORKDIR " + "/home" + "/platform/app"),
        (
            check_tree.no_machine_path,
            "docs/a.md",
            "in your home folder, ~/.config, or https://shop.example/ro" + "ot/x",
        ),
        (check_tree.no_secret, "a.py", 'PASSWORD_MARK = "s3cret-pw-"'),
        (check_tree.modules_are_short, str(MODULE), "x = 1\n" * 400),
        (check_tree.modules_are_short, "docs/a.md", "x\n" * 4000),
        (check_tree.silenced_checks_have_reasons, str(MODULE), "x = 1  # noqa: S311 - jitter is no secret\n"),
        (check_tree.silenced_checks_have_reasons, str(MODULE), "x = 1  # type: ignore[misc]  # the library is bare\n"),
        (check_tree.silenced_checks_have_reasons, str(MODULE), 'x = "# noqa"\n'),
    ],
)
def test_no_check_complains_about_what_is_right(check: check_tree.Check, path: str, text: str) -> None:
    assert list(check(PurePosixPath(path), text)) == []


def verbs() -> set[str]:
    """The targets of the Makefile that a person calls; `bench-%` stands for all benchmarks."""
    return set(re.findall(r"^([a-z][a-z%-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_command_on_a_page_exists(page: Path) -> None:
    named = set(re.findall(r"(?:`|^|&& )make ([a-z][a-z_-]*)", page.read_text(encoding="utf-8"), re.MULTILINE))
    benchmarks = {f"bench-{path.stem}" for path in (ROOT / "benchmarks").glob("*.py")}
    assert {name.replace("_", "-") for name in named} <= verbs() | {name.replace("_", "-") for name in benchmarks}


def test_every_verb_has_its_line_in_make_help() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    told = set(re.findall(r"^([a-z][a-z-]*):.*## \S", makefile, re.MULTILINE))
    assert told == verbs() - {"bench-%"}


@pytest.mark.parametrize("script", ["scripts/bootstrap", "scripts/lock", ".ci/run"])
def test_a_script_that_is_called_can_be_executed(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    assert path.read_text(encoding="utf-8").startswith("#!")
