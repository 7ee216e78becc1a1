"""The generated pages are true."""

from eydp import reference


def test_the_pages_are_what_the_code_says() -> None:
    assert reference.main(["--check"]) == 0, "run `make docs`"


def test_every_setting_has_a_meaning() -> None:
    assert "| None |" not in reference.configuration()


def test_every_metric_has_a_meaning() -> None:
    rows = [line for line in reference.metric_reference().splitlines() if line.startswith("| `")]
    assert rows
    assert all(row.rstrip("| ").split("|")[-1].strip() for row in rows)
