"""Which entries a command is about, and what it refuses before it asks anybody."""

from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from eydp import main
from eydp.redrive.selection import Selection, moment, whole_day

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90m", datetime(2026, 11, 24, 4, 30, tzinfo=UTC)),
        ("24h", datetime(2026, 11, 23, 6, 0, tzinfo=UTC)),
        ("7d", datetime(2026, 11, 17, 6, 0, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T05:00", datetime(2026, 11, 20, 5, tzinfo=UTC)),
        ("2026-11-20T05:00+02:00", datetime(2026, 11, 20, 3, tzinfo=UTC)),
    ],
)
def test_a_time_is_an_age_a_day_or_an_iso_time(text: str, meant: datetime) -> None:
    assert moment(text, NOW) == meant


@pytest.mark.parametrize("text", ["", "yesterday", "7", "7w", "-1d", "2026-13-01"])
def test_what_is_no_time_is_refused_with_what_would_be_one(text: str) -> None:
    with pytest.raises(ValueError, match="give an age such as 90m"):
        moment(text, NOW)


def test_a_day_ends_where_the_next_begins() -> None:
    assert whole_day("2026-12-31") == (datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="is no day"):
        whole_day("24.11.2026")


def test_the_state_alone_chooses_nothing() -> None:
    assert not Selection(state="all").narrow
    assert Selection(reason="not_json").narrow


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["quarantine", "redrive"], "say what to redrive"),
        (["quarantine", "discard", "--note", "x"], "say what to discard"),
        (["quarantine", "redrive", "a", "--all"], "exclude each other"),
        (["quarantine", "redrive", "a", "--reason", "x"], "ids and --reason exclude each other"),
        (["quarantine", "redrive", "a", "--day", "2026-11-24"], "ids and --day exclude each other"),
        (["quarantine", "list", "--since", "1d", "--day", "2026-11-24"], "--since and --day exclude each other"),
        (["quarantine", "list", "--since", "soon"], "'soon' is no time"),
        (["quarantine", "list", "--json", "--csv"], "exclude each other"),
        (["quarantine", "discard", "a"], "--note"),
        (["quarantine", "discard", "a", "--note", " "], "must say why"),
        (["dlq", "redrive"], "say what to redrive"),
        (["dlq", "redrive", "1", "--all"], "exclude each other"),
        (["dlq", "discard", "--all"], "--note"),
        (["dlq", "list", "--json", "--csv"], "exclude each other"),
    ],
)
def test_a_contradiction_is_refused_before_anything_is_asked(arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(main.app, arguments)
    assert done.exit_code == 2
    assert words in " ".join(done.output.split())


@pytest.mark.parametrize("group", ["quarantine", "dlq"])
def test_every_command_explains_itself(group: str) -> None:
    listed = CliRunner().invoke(main.app, [group, "--help"]).output
    for command in ("list", "show", "redrive", "discard"):
        assert f"  {command} " in listed
        assert "--json" in CliRunner().invoke(main.app, [group, command, "--help"]).output
