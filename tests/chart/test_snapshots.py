"""The main scenarios render to what was last looked at."""

import pytest

from chart import snapshots


@pytest.mark.parametrize("name", snapshots.KEPT)
def test_a_scenario_renders_to_its_snapshot(name: str) -> None:
    kept = snapshots.path(name).read_text(encoding="utf-8")

    assert snapshots.text(name) == kept, "run make snapshots, look at the difference and commit it with the chart"


def test_no_snapshot_is_left_over() -> None:
    assert {path.stem for path in snapshots.FOLDER.iterdir()} == set(snapshots.KEPT)
