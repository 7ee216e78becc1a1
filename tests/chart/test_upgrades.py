"""An upgrade keeps names and selectors, and no value makes two releases share an object."""

import json
from pathlib import Path

import pytest
import yaml

from chart.released import FOLDER, selectors
from support.chart import CHART, SCENARIOS, key, objects, rendered, scenario, template

RELEASES = sorted(path.name for path in FOLDER.iterdir())
SELECTED_BY = {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"}


def test_the_chart_of_this_version_is_kept_or_no_chart_was_released() -> None:
    assert RELEASES


@pytest.mark.parametrize("version", RELEASES)
def test_values_of_a_release_keep_its_objects_with_their_names_and_selectors(version: str) -> None:
    released = json.loads((FOLDER / version / "objects.json").read_text())

    now = selectors(rendered(files=[FOLDER / version / "values.yaml"]))

    assert {name: now.get(name, "gone") for name in released} == released


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_selector_holds_nothing_that_may_change(name: str) -> None:
    for manifest in scenario(name):
        if manifest["kind"] == "Deployment":
            labels = manifest["spec"]["selector"]["matchLabels"]
            assert set(labels) == SELECTED_BY
            assert labels.items() <= manifest["spec"]["template"]["metadata"]["labels"].items()


def test_selectors_are_the_same_whatever_the_version_of_chart_and_platform(tmp_path: Path) -> None:
    other = tmp_path / "ey-data-platform"
    copy_chart(other, version="9.9.9", appVersion="8.8.8")

    old, new = (objects(template([], "images.tag=1.0.0", chart=chart)) for chart in (CHART, other))

    assert selectors(old) == selectors(new)
    # The pods of a program whose image and settings stay are not rolled by a new version of the chart.
    assert [m["spec"]["template"] for m in old if m["kind"] == "Deployment"] == [
        m["spec"]["template"] for m in new if m["kind"] == "Deployment"
    ]


def copy_chart(target: Path, **changes: str) -> None:
    for path in CHART.rglob("*"):
        if path.is_file():
            there = target / path.relative_to(CHART)
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_bytes(path.read_bytes())
    about = yaml.safe_load((target / "Chart.yaml").read_text())
    (target / "Chart.yaml").write_text(yaml.safe_dump(about | changes))


def test_two_releases_in_one_namespace_share_nothing() -> None:
    one, two = (objects(template([SCENARIOS["values-gke"]], release=name)) for name in ("one", "two"))

    assert not {key(m) for m in one} & {key(m) for m in two}


@pytest.mark.parametrize("release", ["a", "x" * 53, f"{'long-' * 10}end"])
def test_names_fit_whatever_the_release_is_called(release: str) -> None:
    manifests = objects(template([SCENARIOS["everything"]], release=release))

    for manifest in manifests:
        name = manifest["metadata"]["name"]
        assert len(name) <= (52 if manifest["kind"] == "CronJob" else 63), name
        assert name.strip("-") == name
    assert len({key(m) for m in manifests}) == len(manifests)


@pytest.mark.parametrize(
    ("release", "sets", "name"),
    [
        ("shop", (), "shop-ey-data-platform-poller"),
        ("ey-data-platform", (), "ey-data-platform-poller"),
        ("ey-data-platform-test", (), "ey-data-platform-test-poller"),
        ("shop", ("nameOverride=carts",), "shop-carts-poller"),
        ("shop", ("fullnameOverride=carts",), "carts-poller"),
    ],
)
def test_an_object_is_called_by_release_chart_and_component(release: str, sets: tuple[str, ...], name: str) -> None:
    names = {m["metadata"]["name"] for m in objects(template([], *sets, release=release)) if m["kind"] == "Deployment"}

    assert name in names
