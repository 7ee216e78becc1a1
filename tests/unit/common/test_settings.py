"""Settings are read once, are frozen, and every mistake is answered with a sentence that names the variable."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from dataplatform.errors import ConfigurationError
from dataplatform.settings import EmulatorSettings, PlatformSettings, SourceSettings, load, refuse_unknown

ALL = (PlatformSettings, EmulatorSettings, SourceSettings)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each test starts in an empty folder with none of the platform's variables."""
    for variable in list(os.environ):
        if variable.startswith("EYDP_") or variable.endswith("_EMULATOR_HOST"):
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)


def test_a_missing_required_setting_is_named_with_its_meaning() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(PlatformSettings)
    assert str(caught.value) == (
        "EYDP_PROJECT is required but not set: set it in the environment or in .env "
        "(Google Cloud project that holds topic, bucket and datasets.)."
    )
    assert caught.value.exit_code == 78


def test_an_empty_variable_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYDP_PROJECT", "")
    with pytest.raises(ConfigurationError, match=r"^EYDP_PROJECT is required"):
        load(PlatformSettings)


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("EYDP_METRICS_PORT", "ninety", "unable to parse string as an integer"),
        ("EYDP_METRICS_PORT", "65536", "less than or equal to 65535"),
        ("EYDP_METRICS_PORT", "-1", "greater than or equal to 0"),
        ("EYDP_REQUEST_TIMEOUT_SECONDS", "0", "greater than 0"),
        ("EYDP_REQUEST_TIMEOUT_SECONDS", "nan", "greater than 0"),
        ("EYDP_LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("EYDP_TOPIC", "carts events", "^[A-Za-z0-9]"),
    ],
)
def test_a_wrong_value_is_shown_with_what_would_be_right(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv("EYDP_PROJECT", "shop")
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        load(PlatformSettings)
    assert str(caught.value).startswith(f"{variable} is {value!r}, which is not valid: ")
    assert complaint in str(caught.value)


def test_all_mistakes_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYDP_METRICS_PORT", "x")
    with pytest.raises(ConfigurationError) as caught:
        load(PlatformSettings)
    assert [line.split()[0] for line in str(caught.value).splitlines()] == ["EYDP_PROJECT", "EYDP_METRICS_PORT"]


def test_defaults_follow_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYDP_PROJECT", "shop")
    settings = load(PlatformSettings)
    assert settings.bucket_name == "shop-raw-data"
    assert settings.topic_path == "projects/shop/topics/carts-events"
    assert settings.subscription_path == "projects/shop/subscriptions/carts-events-sub"
    assert settings.raw_table("Users") == "shop.bq_raw.Users"


def test_a_bucket_that_is_set_wins_over_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYDP_PROJECT", "shop")
    monkeypatch.setenv("EYDP_BUCKET", "elsewhere")
    assert load(PlatformSettings).bucket_name == "elsewhere"


def test_settings_are_read_from_a_file_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("EYDP_PROJECT=from-file\nEYDP_LOCATION=EU\nPUBSUB_EMULATOR_HOST=127.0.0.1:1\n")
    monkeypatch.setenv("EYDP_LOCATION", "US")
    settings = load(PlatformSettings)
    assert (settings.project, settings.location) == ("from-file", "US")
    assert load(EmulatorSettings).pubsub_emulator_host == "127.0.0.1:1"


def test_emulators_keep_the_names_of_googles_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:4443")
    assert load(EmulatorSettings).storage_emulator_host == "http://127.0.0.1:4443"


def test_settings_are_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYDP_PROJECT", "shop")
    settings = load(PlatformSettings)
    with pytest.raises(ValidationError, match="frozen"):
        settings.project = "other"  # type: ignore[misc]  # mypy refuses it too


def test_an_unknown_setting_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(ConfigurationError, match=r"^EYDP_PROJCT is not a setting .* did you mean EYDP_PROJECT\?$"):
        refuse_unknown(*ALL, environ={"EYDP_PROJCT": "shop"})


def test_an_unknown_setting_that_is_like_none_points_to_the_page_of_settings() -> None:
    with pytest.raises(ConfigurationError, match=r"docs/configuration\.md"):
        refuse_unknown(*ALL, environ={"EYDP_XYZZY_QQQQ": "1"})


def test_a_misspelt_setting_of_a_section_that_is_loaded_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="did you mean EYDP_SOURCE_URL"):
        refuse_unknown(*ALL, environ={"EYDP_SOURCE_ULR": "http://127.0.0.1"})


def test_settings_of_other_programs_are_left_alone() -> None:
    refuse_unknown(*ALL, environ={"EYDP_CONSUMER_FLUSH_MAX_ROWS": "1", "EYDP_PROJECT": "shop", "PATH": "/bin"})


def test_unknown_settings_are_looked_for_in_the_file_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("EYDP_PROJCT=shop\n")
    with pytest.raises(ConfigurationError, match="EYDP_PROJCT"):
        refuse_unknown(*ALL)
