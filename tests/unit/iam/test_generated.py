"""What is generated from the table: the committed files, the script (run against stand-ins for gcloud and bq)."""

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from eydp.iam import __main__ as program
from eydp.iam.gcloud import command, script
from eydp.iam.grants import COMPONENTS, grants
from eydp.iam.installation import IDENTITIES, Identity, Installation, example
from eydp.iam.roles import CUSTOM_ROLES

ROOT = Path(__file__).parents[3]

#: Writes down how it was called; `describe` finds nothing unless told otherwise.
STAND_IN = """\
#!/bin/bash
printf '%q ' "$(basename "$0")" "$@" >> "$CALLS"; echo >> "$CALLS"
case " $* " in *" describe "*) exit "$DESCRIBED";; esac
"""

type Run = Callable[[str, int], list[list[str]]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a script with stand-ins and return what they were called with."""
    for name in ("gcloud", "bq"):
        (tmp_path / name).write_text(STAND_IN)
        (tmp_path / name).chmod(0o755)
    calls = tmp_path / "calls"

    def call(text: str, described: int) -> list[list[str]]:
        calls.write_text("")
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "CALLS": str(calls), "DESCRIBED": str(described)}
        subprocess.run(["/bin/bash", "-c", text], check=True, env=environment, capture_output=True, timeout=60)
        return [shlex.split(line) for line in calls.read_text().splitlines()]

    return call


def test_the_committed_files_are_what_the_table_says() -> None:
    assert program.stale(ROOT, example()) == [], "run `python -m eydp.iam --write`"


def test_a_file_that_is_out_of_date_or_missing_is_named(tmp_path: Path) -> None:
    for path, text in program.committed(example()):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert program.stale(tmp_path, example()) == []
    (tmp_path / "docs/iam.md").write_text("other")
    (tmp_path / "k8s/config-connector/base/pubsub.yaml").unlink()
    assert set(map(str, program.stale(tmp_path, example()))) == {
        "docs/iam.md",
        "k8s/config-connector/base/pubsub.yaml",
    }


def test_no_other_file_lies_between_the_generated_ones() -> None:
    there = {path.relative_to(ROOT) for path in (ROOT / "k8s/config-connector").rglob("*.yaml")}
    assert there <= {path for path, _ in program.committed(example())}


@pytest.mark.parametrize("identity", IDENTITIES)
def test_the_script_makes_every_grant_with_one_command(run: Run, identity: Identity) -> None:
    of = example()
    calls = run(script(of, identity), 1)
    for row in grants(of.platform):
        assert calls.count(command(row, of, identity)) == 1, row


def test_the_script_creates_the_roles_of_the_project(run: Run) -> None:
    calls = run(script(example(), "direct"), 1)
    created = {call[4]: call for call in calls if call[:4] == ["gcloud", "iam", "roles", "create"]}
    assert set(created) == {role.id for role in CUSTOM_ROLES}
    for role in CUSTOM_ROLES:
        assert f"--permissions={','.join(role.permissions)}" in created[role.id]


def test_the_script_updates_roles_that_are_there(run: Run) -> None:
    calls = run(script(example(), "direct"), 0)
    assert len([call for call in calls if call[:4] == ["gcloud", "iam", "roles", "update"]]) == len(CUSTOM_ROLES)
    assert not [call for call in calls if call[:4] == ["gcloud", "iam", "roles", "create"]]


def test_with_annotations_each_component_gets_a_google_account_it_may_act_as(run: Run) -> None:
    of = example()
    calls = run(script(of, "annotation"), 1)
    created = [call[4] for call in calls if call[:4] == ["gcloud", "iam", "service-accounts", "create"]]
    assert created == [of.google_account(component) for component in COMPONENTS]
    bound = [" ".join(call) for call in calls if "roles/iam.workloadIdentityUser" in " ".join(call)]
    assert len(bound) == len(COMPONENTS)
    for component, text in zip(COMPONENTS, bound, strict=True):
        assert of.google_email(component) in text
        assert of.impersonator(component) in text


def test_google_accounts_that_are_there_are_left_alone(run: Run) -> None:
    calls = run(script(example(), "annotation"), 0)
    assert not [call for call in calls if call[:4] == ["gcloud", "iam", "service-accounts", "create"]]


def test_a_direct_grant_needs_no_google_account(run: Run) -> None:
    assert "service-accounts" not in str(run(script(example(), "direct"), 1))


def test_the_script_stops_at_the_first_command_that_fails(run: Run) -> None:
    text = script(example(), "direct").replace("gcloud pubsub topics", "false", 1)
    with pytest.raises(subprocess.CalledProcessError):
        run(text, 1)


def test_names_with_spaces_and_quotes_reach_the_command_whole(run: Run) -> None:
    given = example()
    odd = Installation(given.platform, "1", "ns", "name", "group:a b'c@example.com")
    assert "--member=group:a b'c@example.com" in str(run(script(odd, "direct"), 1))


def test_the_command_takes_names_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EYDP_PROJECT", "other-project")
    monkeypatch.setenv("EYDP_TOPIC", "other-topic")
    assert program.main(["--gcloud", "--project-number", "42", "--namespace", "here"]) == 0
    text = capsys.readouterr().out
    assert "other-topic" in text
    assert "projects/42/locations/global/workloadIdentityPools/other-project.svc.id.goog/subject/ns/here/sa/" in text
    assert "my-project" not in text


def test_the_command_writes_a_folder_of_objects(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EYDP_PROJECT", "other-project")
    monkeypatch.setenv("EYDP_POLLER_ORDERING_KEYS", "true")
    assert program.main(["--config-connector", str(tmp_path / "out"), "--project-number", "42"]) == 0
    assert "enableMessageOrdering: true" in (tmp_path / "out/base/pubsub.yaml").read_text()
    assert not [path for path in (tmp_path / "out").rglob("*.yaml") if "my-project" in path.read_text()]


def test_without_a_project_the_command_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EYDP_PROJECT", raising=False)
    assert program.main(["--gcloud"]) == 78
    assert "EYDP_PROJECT is required" in capsys.readouterr().err


def test_the_check_fails_and_names_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "page", lambda _: "other")
    assert program.main(["--check"]) == 1
    assert "run `python -m eydp.iam --write`: docs/iam.md" in capsys.readouterr().err
