"""Cloud names of each test's own on the shared stack, and a folder to call the command in."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from support.programs import own_names


@pytest.fixture
def environment(stack_env: Mapping[str, str], tmp_path: Path) -> dict[str, str]:
    return {**own_names(stack_env), "HOME": str(tmp_path)}


@pytest.fixture
def cwd(tmp_path: Path) -> str:
    """A folder without a stack and without a `.env` file."""
    folder = tmp_path / "folder"
    folder.mkdir()
    return str(folder)
