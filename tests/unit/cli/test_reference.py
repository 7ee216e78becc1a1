"""The generated pages are true."""

import pytest

from eydp import reference


def test_the_pages_are_what_the_code_says() -> None:
    assert reference.main(["--check"]) == 0, "run `make docs`"


def test_every_setting_has_a_meaning() -> None:
    assert "| None |" not in reference.configuration()


def test_every_metric_has_a_meaning() -> None:
    rows = [line for line in reference.metric_reference().splitlines() if line.startswith("| `")]
    assert rows
    assert all(row.rstrip("| ").split("|")[-1].strip() for row in rows)


def test_every_setting_has_a_type_with_its_bounds() -> None:
    page = reference.configuration()
    assert "| `EYDP_METRICS_PORT` | integer, 0 to 65535 | `9090` |" in page
    assert "| `EYDP_POLLER_INTERVAL_SECONDS` | number, above 0 | `60` |" in page
    assert "| `EYDP_PROJECT` | text | **required** |" in page
    assert "| `EYDP_LOG_FORMAT` | `auto` or `json` or `console` | `auto` |" in page


def test_a_page_that_is_out_of_date_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "env_example", lambda: "# other\n")
    assert reference.main(["--check"]) == 1
    assert ".env.example" in capsys.readouterr().err
