"""The command against the embedded stack: twice is once, and every mistake is one sentence."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.programs import own_names, run


@pytest.fixture
def environment(stack_env: Mapping[str, str], tmp_path: Path) -> dict[str, str]:
    return {**own_names(stack_env), "HOME": str(tmp_path)}


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


def test_provisioning_twice_changes_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    planned = json.loads(run(environment, "eydp", "provision", "--dry-run", "--json", cwd=str(tmp_path)).stdout)
    first = json.loads(run(environment, "eydp", "provision", "--json", cwd=str(tmp_path)).stdout)
    second = json.loads(run(environment, "eydp", "provision", "--json", cwd=str(tmp_path)).stdout)

    assert planned == first
    assert {step["verb"] for step in first} == {"create"}
    assert {step["verb"] for step in second} == {"unchanged"}
    assert [step["resource"] for step in first] == [step["resource"] for step in second]


def test_the_doctor_names_what_is_missing_and_then_finds_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    before = json.loads(run(environment, "eydp", "doctor", "--json", code=78, cwd=str(tmp_path)).stdout)
    run(environment, "eydp", "provision", cwd=str(tmp_path))
    after = json.loads(run(environment, "eydp", "doctor", "--json", cwd=str(tmp_path)).stdout)

    missing = [finding for finding in before if finding["mend"]]
    assert all("eydp provision" in finding["mend"] for finding in missing)
    assert len(missing) == len(before) - 1  # all but the shop
    assert [finding for finding in after if finding["mend"]] == []


def test_a_query_is_answered_as_json(environment: dict[str, str], tmp_path: Path) -> None:
    done = run(environment, "eydp", "sql", "--json", "select 1 as one, 'x' as letter", cwd=str(tmp_path))
    assert json.loads(done.stdout) == [{"one": 1, "letter": "x"}]


def test_a_wrong_query_is_one_sentence(environment: dict[str, str], tmp_path: Path) -> None:
    assert "refused the query" in _complaint(run(environment, "eydp", "sql", "selec 1", code=65, cwd=str(tmp_path)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"EYDP_PROJEKT": "x"}, "EYDP_PROJEKT is not a setting of this program; did you mean EYDP_PROJECT?"),
        ({"EYDP_METRICS_PORT": "many"}, "EYDP_METRICS_PORT is 'many', which is not valid"),
        ({"EYDP_PROJECT": ""}, "no stack is up in this folder and EYDP_PROJECT is not set"),
    ],
    ids=["unknown setting", "wrong type", "no project and no stack"],
)
def test_a_wrong_environment_is_one_sentence(
    environment: dict[str, str], tmp_path: Path, change: dict[str, str], words: str
) -> None:
    done = run({**environment, **change}, "eydp", "doctor", code=78, cwd=str(tmp_path))
    assert words in _complaint(done)


def test_a_missing_project_is_one_sentence_of_every_program(environment: dict[str, str], tmp_path: Path) -> None:
    lacking = {name: value for name, value in environment.items() if name != "EYDP_PROJECT"}
    for program in ("carts_poller", "carts_consumer", "batch_ingest"):
        done = run(lacking, program, code=78, cwd=str(tmp_path))
        assert "EYDP_PROJECT is required but not set" in done.stderr
        assert "Traceback" not in done.stderr


def test_an_unreachable_shop_is_one_sentence(environment: dict[str, str], tmp_path: Path) -> None:
    away = {**environment, "EYDP_SOURCE_URL": "http://127.0.0.1:9", "EYDP_SOURCE_RETRY_DEADLINE_SECONDS": "1"}
    run(away, "eydp", "provision", cwd=str(tmp_path))
    done = run(away, "eydp", "poll", "--once", code=69, cwd=str(tmp_path))
    assert "http://127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr


def test_verify_fails_when_the_marts_are_missing(environment: dict[str, str], tmp_path: Path) -> None:
    run(environment, "eydp", "provision", cwd=str(tmp_path))
    done = run(environment, "eydp", "verify", code=78, cwd=str(tmp_path))
    assert "Traceback" not in done.stderr
