"""The chart's settings are the programs' settings: known, valid, and with the programs' own defaults."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_core import PydanticUndefined

import chart_pages
from batch_ingest.settings import BatchSettings
from carts_consumer.settings import ConsumerSettings
from carts_poller.push.settings import PushSettings
from carts_poller.settings import PollerSettings
from dataplatform import settings
from dbt_job.settings import DbtSettings
from eydp.environment import every_section
from support.chart import CHART, SCENARIOS, named, pods, refusal, rendered, scenario

KNOWN = {section.variable(field) for section in every_section() for field in section.model_fields}
#: Where the chart says otherwise than the program, and why.
OWN_DEFAULTS = {"EYDP_LOG_FORMAT": "json"}  # nobody sits at a pod's terminal

SECTIONS: dict[str, tuple[type[settings.Section], ...]] = {
    "poller": (settings.PlatformSettings, settings.SourceSettings, PollerSettings),
    "push": (settings.PlatformSettings, settings.SourceSettings, PushSettings),
    "consumer": (settings.PlatformSettings, ConsumerSettings),
    "batch": (settings.PlatformSettings, settings.SourceSettings, BatchSettings),
    "dbt": (settings.PlatformSettings, settings.EmulatorSettings, DbtSettings),
    "replay": every_section(),
    "compact": every_section(),
    "provision": every_section(),
    "verify": every_section(),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_program_takes_every_setting_that_it_is_given(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = scenario(name)
    for owner, pod in pods(manifests):
        (source,) = pod["spec"]["containers"][0]["envFrom"]
        own = {v["name"]: v["value"] for v in pod["spec"]["containers"][0]["env"] if v["name"].startswith("EYDP_")}
        given = {**named(manifests, f"ConfigMap/{source['configMapRef']['name']}")["data"], **own}
        assert set(given) <= KNOWN, owner
        for variable in KNOWN:
            monkeypatch.delenv(variable, raising=False)
        for variable, value in given.items():
            monkeypatch.setenv(variable, value)
        sections = SECTIONS[pod["metadata"]["labels"]["app.kubernetes.io/component"]]
        settings.refuse_unknown(*sections, environ=given)
        for section in sections:
            settings.load(section)


def test_defaults_that_the_chart_repeats_are_those_of_the_programs() -> None:
    given = yaml.safe_load((CHART / "values.yaml").read_text())["config"]
    defaults = {
        section.variable(name): field.default
        for section in every_section()
        for name, field in section.model_fields.items()
    }

    assert {name: OWN_DEFAULTS.get(name, defaults[name]) for name in given} == given


def test_the_schema_has_every_setting_but_those_that_are_the_charts() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]["config"]

    assert schema == chart_pages.settings_schema(schema["required"])
    assert set(schema["properties"]) | chart_pages.RESERVED == {name for name in KNOWN if name.startswith("EYDP_")}
    assert chart_pages.RESERVED <= KNOWN


def whole_numbers() -> list[tuple[str, int]]:
    """Every setting that is a whole number and has a default, with it."""
    found: list[tuple[str, int]] = []
    for section in every_section():
        for name, field in section.model_fields.items():
            default: Any = field.default
            variable = section.variable(name)
            if default is not PydanticUndefined and type(default) is int and variable not in chart_pages.RESERVED:
                found.append((variable, default))
    return found


def test_large_numbers_arrive_as_they_were_written(tmp_path: Path) -> None:
    numbers = whole_numbers()
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump({"config": dict(numbers)}))

    data = named(rendered(files=[file]), "ConfigMap/ey-data-platform")["data"]

    assert {variable: data[variable] for variable, _ in numbers} == {name: str(value) for name, value in numbers}
    assert data["EYDP_DBT_MAX_BYTES_BILLED"] == "107374182400"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("config.EYDP_CONSUMER_STREAM=2", "'EYDP_CONSUMER_STREAM' not allowed"),
        ("config.EYDP_PROJECT=other", "'EYDP_PROJECT' not allowed"),
        ("config.EYDP_CONSUMER_NAME=same-for-all", "'EYDP_CONSUMER_NAME' not allowed"),
        ("config.EYDP_CONSUMER_STREAMS=33", "maximum: got 33, want 32"),
        ("config.EYDP_CONSUMER_STREAMS=two", "got string, want integer"),
        ("config.EYDP_LOG_LEVEL=loud", "value must be one of 'debug', 'info', 'warning', 'error'"),
        ("config.EYDP_BATCH_MAX_INVALID_RATIO=2", "maximum: got 2, want 1"),
    ],
)
def test_a_setting_that_a_program_would_refuse_is_refused_before_anything_is_installed(given: str, words: str) -> None:
    assert words in refusal(given)


def test_a_changed_setting_rolls_the_pods_and_an_unchanged_one_does_not() -> None:
    def checksums(*sets: str) -> set[str]:
        return {
            annotations["checksum/config"]
            for _, pod in pods(rendered(*sets))
            if "checksum/config" in (annotations := pod["metadata"]["annotations"])
        }

    plain, same, other = checksums(), checksums("poller.tmpSizeLimit=65Mi"), checksums("config.EYDP_LOG_LEVEL=debug")

    assert len(plain) == 1
    assert plain == same
    assert not plain & other


def test_the_generated_pages_are_true() -> None:
    for path, text in chart_pages.pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is out of date, run make docs"


def test_a_value_without_a_comment_is_an_error() -> None:
    with pytest.raises(ValueError, match="line 2: a has no comment"):
        chart_pages.readme("# a plain comment\na: 1\n")
