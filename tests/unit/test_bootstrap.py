"""The bootstrap on a machine that lacks what it needs: one clear sentence, a code that says so, nothing left behind."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("sh", "cat", "cmp", "rm", "mkdir", "cp", "tail", "grep", "dirname")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A checkout on a machine with the standard tools and no Python; the folder `bin` is its PATH."""
    for name in ("pyproject.toml", "requirements/uv.txt", "requirements/dev.txt", "scripts/bootstrap"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(shutil.which(tool) or pytest.skip(f"there is no {tool} here"))
    program(folder, "id", "echo nobody-that-exists")  # else the account's home may have a Python
    return tmp_path


def program(folder: Path, name: str, script: str) -> None:
    """Put a program on the machine."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def bootstrap(machine: Path, **environment: str) -> tuple[int, str]:
    """Run it with nothing in the environment but a home and a PATH; return its code and what it told."""
    env = {"PATH": str(machine / "bin"), "HOME": str(machine / "home"), **environment}
    done = subprocess.run(
        [str(machine / "bin" / "sh"), "scripts/bootstrap"],
        cwd=machine,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stderr


def test_a_machine_without_python_is_told_what_to_install(machine: Path) -> None:
    code, told = bootstrap(machine)
    assert code == 69
    assert told == (
        "error: no Python 3 that runs was found: install Python 3.13 or newer, or set PYTHON to the path of one, "
        "then run make setup again.\n"
    )
    assert not (machine / ".venv").exists()
    assert not (machine / "home").exists()


def test_a_python_that_is_there_and_does_not_run_is_passed_over(machine: Path) -> None:
    program(machine / "bin", "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    code, told = bootstrap(machine)
    assert code == 69
    assert told.startswith("error: no Python 3 that runs was found")


def test_a_python_that_was_asked_for_and_is_too_old_is_refused(machine: Path) -> None:
    program(machine / "bin", "old", "exit 1")
    code, told = bootstrap(machine, PYTHON="old")
    assert code == 69
    assert told.startswith("error: PYTHON is old, which does not run or is older than 3.13: ")


def test_an_environment_that_is_as_the_lock_says_is_left_alone(machine: Path) -> None:
    (machine / ".venv/bin").mkdir(parents=True)
    (machine / ".venv/bin/python").symlink_to(sys.executable)
    recipe = "".join(
        (machine / name).read_text(encoding="utf-8")
        for name in ("pyproject.toml", "requirements/uv.txt", "requirements/dev.txt", "scripts/bootstrap")
    )
    (machine / ".venv/.bootstrap-stamp").write_text(f"{machine}\n{recipe}", encoding="utf-8")
    assert bootstrap(machine) == (0, "")
    (machine / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    assert bootstrap(machine)[0] == 69, "a change is noticed, and then uv would be needed"
