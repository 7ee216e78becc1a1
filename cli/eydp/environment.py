"""Which warehouse a command talks to: the environment's, or the embedded stack that is up in this folder."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from dataplatform import settings
from dataplatform.errors import ConfigurationError

DATA_DIR = Path(".local")

_PROJECT = "EYDP_PROJECT"
#: Set by a person, it is meant: the stack with another shop.
_KEPT = ("EYDP_SOURCE_URL",)


@dataclass(frozen=True, slots=True)
class Context:
    """The settings every command needs."""

    platform: settings.PlatformSettings
    emulators: settings.EmulatorSettings
    source: settings.SourceSettings


def context() -> Context:
    """Return the settings of this command; say so in one line on stderr when they are those of the stack.

    Raises:
        ConfigurationError: no project is set and no stack is up, or a setting is wrong.
    """
    if not project_is_set():
        use_stack()
        _say_so()
    return load()


def project_is_set() -> bool:
    """Return whether the environment or `.env` names a project."""
    return bool(os.environ.get(_PROJECT) or dotenv_values(settings.ENV_FILE).get(_PROJECT))


def use_stack() -> None:
    """Put the running stack's variables into this process's environment.

    Raises:
        ConfigurationError: no stack is up in this folder.
    """
    from localcloud.state import read_state

    state = read_state(DATA_DIR)
    if state is None:
        raise ConfigurationError(
            "no stack is up in this folder and EYDP_PROJECT is not set: start the stack with `eydp up`, or set "
            "EYDP_PROJECT to your Google Cloud project"
        )
    os.environ.update(merged(os.environ, state.environment))


def merged(given: Mapping[str, str], stack: Mapping[str, str]) -> dict[str, str]:
    """Return the stack's variables, but for those that a person set on purpose."""
    return {name: value for name, value in stack.items() if name not in _KEPT or not given.get(name)}


def _say_so() -> None:
    from eydp.tables import notes

    notes.print(f"using the stack that is up in {DATA_DIR}", style="dim")


def load() -> Context:
    """Read the settings of all programs, so that one that is unknown or wrong is found before anything is done.

    Raises:
        ConfigurationError: a setting is unknown, missing or wrong.
    """
    settings.refuse_unknown(*every_section())
    return Context(
        settings.load(settings.PlatformSettings),
        settings.load(settings.EmulatorSettings),
        settings.load(settings.SourceSettings),
    )


def every_section() -> tuple[type[settings.Section], ...]:
    """Return the settings sections of all programs."""
    from batch_ingest.settings import BatchSettings
    from carts_consumer.settings import ConsumerSettings
    from carts_poller.push.settings import PushSettings
    from carts_poller.settings import PollerSettings
    from dbt_job.settings import DbtSettings
    from eydp.replay.settings import ReplaySettings

    return (
        settings.PlatformSettings,
        settings.EmulatorSettings,
        settings.SourceSettings,
        PollerSettings,
        PushSettings,
        ConsumerSettings,
        BatchSettings,
        DbtSettings,
        ReplaySettings,
    )


def child_environment() -> dict[str, str]:
    """Return the environment of a program that a command starts: the same, with a free metrics port."""
    return {"EYDP_METRICS_PORT": "0", **os.environ}


def program(module: str, *arguments: str) -> list[str]:
    """Return the command line of one of the platform's programs."""
    return [sys.executable, "-m", module, *arguments]
