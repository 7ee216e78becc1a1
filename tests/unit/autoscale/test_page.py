"""docs/autoscaling.md and its plot come from the simulation and the chart's values."""

from xml.etree import ElementTree as ET

import pytest

import sim_autoscale
from autoscale.page import values_line
from autoscale.svg import Panel, plot, thinned


def test_the_page_and_the_plot_are_what_the_simulation_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert sim_autoscale.main(["--check"]) == 0, capsys.readouterr().out


def test_the_page_names_the_values_of_the_chart() -> None:
    assert values_line() in (sim_autoscale.ROOT / "docs" / "autoscaling.md").read_text()


def test_a_plot_is_valid_and_shows_every_line() -> None:
    panels = [Panel("one", {"a": [0, 1, 2], "b": [2, 1, 0]}), Panel("two", {"a": [5]})]
    root = ET.fromstring(plot("A <title>", panels))  # noqa: S314 - made one line above
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 3
    assert lines[0].get("stroke") == lines[2].get("stroke") != lines[1].get("stroke")
    assert all("nan" not in str(line.get("points")) for line in lines)


def test_a_line_of_nothing_lies_on_the_axis() -> None:
    assert "polyline" in plot("t", [Panel("one", {"a": [0.0, 0.0]})])


def test_thinning_keeps_the_peaks() -> None:
    values = [float(i % 97) for i in range(10_000)]
    thin = thinned(values, 100)
    assert len(thin) <= 100
    assert max(thin) == max(values)
