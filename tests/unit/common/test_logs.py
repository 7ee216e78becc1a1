"""A log line is JSON with Cloud Logging's names, or a readable line, and never holds a secret."""

import json
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any, Literal

import pytest
import structlog

from dataplatform import logs
from dataplatform.settings import PlatformSettings

type Configure = Callable[..., StringIO]


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def configure() -> Iterator[Configure]:
    """Configure logging into a text; afterwards structlog is as it was."""

    def into(
        stream: StringIO | None = None,
        *,
        form: Literal["auto", "json", "console"] = "auto",
        level: Literal["debug", "info", "warning", "error"] = "info",
    ) -> StringIO:
        out = stream or StringIO()
        settings = PlatformSettings(project="shop", log_format=form, log_level=level)
        logs.configure(settings, component="poller", stream=out)
        return out

    before = structlog.get_config()
    yield into
    structlog.contextvars.clear_contextvars()
    structlog.configure(**before)


def line(out: StringIO) -> dict[str, Any]:
    """The one line that was logged."""
    [text] = out.getvalue().splitlines()
    fields: dict[str, Any] = json.loads(text)
    return fields


def test_a_line_has_the_names_that_cloud_logging_reads(configure: Configure) -> None:
    out = configure()
    logs.logger().warning("a poll failed", cart=7, trace="projects/shop/traces/1")
    fields = line(out)
    assert fields.pop("timestamp").endswith("Z")
    assert fields == {
        "severity": "WARNING",
        "message": "a poll failed",
        "component": "poller",
        "cart": 7,
        "logging.googleapis.com/trace": "projects/shop/traces/1",
    }


def test_lines_below_the_level_are_not_written(configure: Configure) -> None:
    out = configure(level="warning")
    logs.logger().info("unheard")
    assert out.getvalue() == ""


def test_an_error_brings_its_traceback_in_the_same_line(configure: Configure) -> None:
    out = configure()
    try:
        raise ValueError("no number")  # noqa: TRY301 - something must be caught
    except ValueError:
        logs.logger().exception("a cart can't be read")
    fields = line(out)
    assert fields["severity"] == "ERROR"
    assert "ValueError: no number" in fields["exception"]


@pytest.mark.parametrize("name", ["password", "user_password", "Authorization", "access_token", "client_secret"])
def test_a_field_with_a_secrets_name_is_redacted(configure: Configure, name: str) -> None:
    out = configure()
    logs.logger().info("a user", **{name: "s3cret-pw-1"})
    assert line(out)[name] == "[redacted]"
    assert "s3cret-pw-1" not in out.getvalue()


def test_a_secret_deep_in_a_field_is_redacted_and_its_neighbours_stay(configure: Configure) -> None:
    out = configure()
    logs.logger().info("users", users=[{"id": 1, "login": {"password": "s3cret-pw-1", "name": "a"}}])
    assert line(out)["users"] == [{"id": 1, "login": {"password": "[redacted]", "name": "a"}}]


def test_a_terminal_gets_a_line_for_people_without_secrets(configure: Configure) -> None:
    out = configure(Terminal())
    logs.logger().info("a poll ended", carts=7, password="s3cret-pw-1")
    text = out.getvalue()
    assert "a poll ended" in text
    assert not text.lstrip().startswith("{")
    assert "s3cret-pw-1" not in text


def test_the_form_that_is_set_wins_over_what_reads_it(configure: Configure) -> None:
    out = configure(Terminal(), form="json")
    logs.logger().info("as JSON")
    assert line(out)["message"] == "as JSON"
    out = configure(form="console")
    logs.logger().info("for people")
    assert not out.getvalue().startswith("{")


def test_a_value_that_json_does_not_know_is_no_reason_to_fail(configure: Configure) -> None:
    out = configure()
    logs.logger().info("odd", value=object(), data=b"\xff")
    assert line(out)["message"] == "odd"
