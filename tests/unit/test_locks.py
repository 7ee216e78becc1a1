"""The check of the locks: it knows when they follow pyproject.toml, and each way in which they may not."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

import check_lock

ROOT = Path(__file__).parents[2]
HASH = "--hash=sha256:" + "0" * 64
PROJECT: dict[str, Any] = {
    "name": "shop-platform",
    "dependencies": ["aiohttp>=3"],
    "optional-dependencies": {
        "poller": ["Proto.Buf>=6,<7"],
        "dev": ["shop_platform[poller]", "ruff"],
    },
}


def lock(**versions: str) -> str:
    """A lock as uv writes it."""
    return "".join(f"{name}=={version} \\\n    {HASH} \\\n    {HASH}\n" for name, version in versions.items())


GOOD = {
    "dev": lock(aiohttp="3.1", **{"proto-buf": "6.2"}, ruff="1.0", extra="1"),
    "poller": lock(aiohttp="3.1", **{"proto-buf": "6.2"}),
}


def test_the_locks_of_the_project_follow_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locks = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "requirements").glob("*.txt")}
    assert check_lock.compare(project, locks) == []


def test_locks_that_follow_are_given_no_complaint() -> None:
    assert check_lock.compare(PROJECT, GOOD) == []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"poller": lock(aiohttp="3.1")}, "requirements/poller.txt: Proto.Buf is not locked"),
        ({"dev": lock(aiohttp="3.1", ruff="1.0")}, "requirements/dev.txt: Proto.Buf is not locked"),
        (
            {name: text.replace("==6.2", "==7.0") for name, text in GOOD.items()},
            "requirements/poller.txt: Proto.Buf is 7.0, pyproject.toml asks for Proto.Buf<7,>=6",
        ),
        (
            {"poller": lock(aiohttp="3.2", **{"proto-buf": "6.2"})},
            "requirements/poller.txt: aiohttp is 3.2, the development lock has 3.1",
        ),
        ({"poller": GOOD["poller"].replace(HASH, "")}, "requirements/poller.txt: aiohttp has no hash"),
        ({"poller": GOOD["poller"] + "six\n"}, "requirements/poller.txt: 'six' is not a pinned version"),
        (
            {"poller": "--index" + "-url https://somewhere\n" + GOOD["poller"]},
            "requirements/poller.txt: '--index" + "-url https://somewhere' is not a pinned version",
        ),
    ],
)
def test_a_lock_that_does_not_follow_is_named_with_what_is_wrong(changes: dict[str, str], complaint: str) -> None:
    assert complaint in check_lock.compare(PROJECT, {**GOOD, **changes})


def test_a_deployable_without_a_lock_is_named() -> None:
    assert check_lock.compare(PROJECT, {"dev": GOOD["dev"]}) == ["requirements/poller.txt is missing"]
