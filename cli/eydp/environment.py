"""Which warehouse a command talks to: the environment's, or the embedded stack that is up in this folder."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from dataplatform import settings
from dataplatform.errors import ConfigurationError

DATA_DIR = Path(".local")


@dataclass(frozen=True, slots=True)
class Context:
    """The settings every command needs."""

    platform: settings.PlatformSettings
    emulators: settings.EmulatorSettings
    source: settings.SourceSettings


def use_stack() -> bool:
    """Put the running stack's variables into this process's environment, unless a project is set already.

    Return whether the stack is used.
    """
    from localcloud.state import read_state

    if os.environ.get("EYDP_PROJECT"):
        return False
    state = read_state(DATA_DIR)
    if state is None:
        return False
    os.environ.update(state.environment)
    return True


def context() -> Context:
    """Return the settings of this command.

    Raises:
        ConfigurationError: no project is set and no stack is up, or a setting is wrong.
    """
    used = use_stack()
    if not used and not os.environ.get("EYDP_PROJECT") and not Path(settings.ENV_FILE).exists():
        raise ConfigurationError(
            "no stack is up in this folder and EYDP_PROJECT is not set: start the stack with `eydp up`, or set "
            "EYDP_PROJECT to your Google Cloud project"
        )
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
    from carts_poller.settings import PollerSettings
    from dbt_job.settings import DbtSettings

    return (
        settings.PlatformSettings,
        settings.EmulatorSettings,
        settings.SourceSettings,
        PollerSettings,
        ConsumerSettings,
        BatchSettings,
        DbtSettings,
    )


def child_environment() -> dict[str, str]:
    """Return the environment of a program that a command starts: the same, with a free metrics port."""
    return {"EYDP_METRICS_PORT": "0", **os.environ}


def program(module: str, *arguments: str) -> list[str]:
    """Return the command line of one of the platform's programs."""
    return [sys.executable, "-m", module, *arguments]
