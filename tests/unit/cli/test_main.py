"""The command line itself: every command explains itself, quickly, and a mistake is no stack trace."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from google.api_core import exceptions as google
from google.auth.exceptions import DefaultCredentialsError
from typer.testing import CliRunner

from dataplatform.errors import InvalidDataError
from eydp import main

_OWN = ("demo", "provision", "verify", "sql", "doctor")
_PASSED_ON = ("up", "down", "status", "env", "poll", "consume", "batch", "dbt")


def test_help_lists_every_command_with_a_sentence() -> None:
    done = CliRunner().invoke(main.app, ["--help"])
    assert done.exit_code == 0
    lines = {line.split()[0]: line.split()[1:] for line in done.output.splitlines() if line.startswith("  ")}
    assert all(len(lines[command]) > 2 for command in (*_OWN, *_PASSED_ON))


@pytest.mark.parametrize("command", _OWN)
def test_every_command_has_a_help_of_its_own(command: str) -> None:
    done = CliRunner().invoke(main.app, [command, "--help"])
    assert done.exit_code == 0
    assert f"eydp {command}" in done.output or "Usage" in done.output
    assert "--json" in done.output


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(main.app, ["--version"]).output.startswith("eydp ")


def test_an_unknown_option_is_refused_with_its_name() -> None:
    done = CliRunner().invoke(main.app, ["provision", "--dry"])
    assert done.exit_code == 2
    assert "--dry" in done.output


def test_help_imports_nothing_that_is_slow(tmp_path: Path) -> None:
    code = (
        "import sys; from eydp import main; sys.argv = ['eydp', '--help']\n"
        "try: main.run()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('google.api_core', 'grpc', 'aiohttp', 'pydantic', 'dbt') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def _raising(error: Exception) -> Callable[[], None]:
    def app() -> None:
        raise error

    return app


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidDataError("2 figures differ"), 65),
        (google.Forbidden("permission denied on x"), 78),
        (google.ServiceUnavailable("away"), 69),
        (ConnectionRefusedError("refused"), 69),
        (google.BadRequest("odd"), 70),
        (DefaultCredentialsError("no credentials"), 78),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_is_one_sentence_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    monkeypatch.setattr(main, "app", _raising(error))
    with pytest.raises(SystemExit) as ended:
        main.run()
    assert ended.value.code == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "app", _raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        main.run()
