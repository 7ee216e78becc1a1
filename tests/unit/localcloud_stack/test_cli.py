"""The command line, as far as it needs no running stack."""

import json
from pathlib import Path

import pytest

from localcloud.cli import main
from localcloud.control import arguments
from localcloud.ports import Ports
from localcloud.stack import StackOptions
from support.stack import WAIT_SECONDS, localcloud


def test_a_stack_that_is_not_up_is_told_with_an_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", f"--data-dir={tmp_path}"]) == 3
    assert capsys.readouterr().out == "The stack is not up.\n"
    assert main(["env", f"--data-dir={tmp_path}"]) == 3
    assert capsys.readouterr().err == "The stack is not up: start it with `up --detach`.\n"


def test_scripts_get_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--json", f"--data-dir={tmp_path}"]) == 3

    assert json.loads(capsys.readouterr().out) == {"up": False, "starting": False}


def test_down_without_a_stack_is_fine_and_makes_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "none"

    assert main(["down", f"--data-dir={folder}"]) == 0

    assert capsys.readouterr().out == "The stack was not up.\n"
    assert not folder.exists()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["up", "--products", "many"], "'many' is not a whole number"),
        (["up", "--no-such-option"], "unrecognized arguments: --no-such-option"),
        (["down", "--fresh"], "unrecognized arguments: --fresh"),
        ([], "the following arguments are required: command"),
    ],
)
def test_a_wrong_command_line_is_answered_with_a_sentence(
    given: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(given)

    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("detach", [[], ["--detach"]])
def test_a_folder_that_is_a_file_is_refused_with_a_sentence(tmp_path: Path, detach: list[str]) -> None:
    file = tmp_path / "file"
    file.touch()

    # A process of its own: an attached `up` ties its process to the one that started it.
    refused = localcloud("up", *detach, f"--data-dir={file}", output=tmp_path / "output")

    assert refused.wait(WAIT_SECONDS) == 78
    told = (tmp_path / "output").read_text(encoding="utf-8")
    assert told.startswith(f"The folder {file} can't be used: ")
    assert told.count("\n") == 1


def test_a_detached_supervisor_gets_the_options_of_its_starter(tmp_path: Path) -> None:
    options = StackOptions(
        data_dir=tmp_path,
        ports=Ports(source=1234, pubsub_rest=5678),
        fresh=True,
        project="other",
        source_arguments=("--products=30", "--etags"),
    )

    assert arguments(options) == [
        f"--data-dir={tmp_path}",
        "--project=other",
        "--port-source=1234",
        "--port-pubsub-rest=5678",
        "--fresh",
        "--products=30",
        "--etags",
    ]
