"""Which settings a command uses: the environment's, `.env`'s, or the stack's."""

from pathlib import Path

import pytest

from dataplatform.errors import ConfigurationError
from eydp import environment


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EYDP_PROJECT", raising=False)


def test_a_project_in_the_environment_or_in_the_env_file_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert not environment.project_is_set()
    (tmp_path / ".env").write_text("EYDP_PROJECT=\n", encoding="utf-8")
    assert not environment.project_is_set()  # as in .env.example
    (tmp_path / ".env").write_text("EYDP_PROJECT=shop\n", encoding="utf-8")
    assert environment.project_is_set()
    (tmp_path / ".env").unlink()
    monkeypatch.setenv("EYDP_PROJECT", "shop")
    assert environment.project_is_set()


def test_without_project_and_stack_a_sentence_names_both_ways_out() -> None:
    with pytest.raises(ConfigurationError, match=r"`eydp up`, or set EYDP_PROJECT"):
        environment.context()


def test_the_stack_replaces_every_variable_but_a_shop_that_was_chosen() -> None:
    stack = {"EYDP_PROJECT": "local", "EYDP_SOURCE_URL": "http://stack", "STORAGE_EMULATOR_HOST": "http://stack"}
    given = {"EYDP_SOURCE_URL": "http://mine", "STORAGE_EMULATOR_HOST": "http://old"}

    assert environment.merged({}, stack) == stack
    assert environment.merged({"EYDP_SOURCE_URL": ""}, stack) == stack
    assert environment.merged(given, stack) == {"EYDP_PROJECT": "local", "STORAGE_EMULATOR_HOST": "http://stack"}


def test_a_setting_of_any_program_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYDP_PROJECT", "shop")
    monkeypatch.setenv("EYDP_CONSUMER_STREAMS", "3")
    assert environment.load().platform.project == "shop"
    monkeypatch.setenv("EYDP_CONSUMER_STREAM", "3")
    with pytest.raises(ConfigurationError, match="did you mean EYDP_CONSUMER_STREAMS"):
        environment.load()
