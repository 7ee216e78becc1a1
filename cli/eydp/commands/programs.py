"""`eydp poll`, `consume`, `batch`, `dbt`, `docs`: the platform's own programs, with their own arguments."""

import os
import subprocess
from typing import Annotated

import typer


def poll(context: typer.Context) -> None:
    """Poll the carts and publish their changes (--once: one poll)."""
    _become("carts_poller", context.args)


def consume(context: typer.Context) -> None:
    """Consume cart events (--until-idle [SECONDS]: stop when nothing comes any more)."""
    _become("carts_consumer", context.args)


def batch(context: typer.Context) -> None:
    """Load products and users (--entity, --date DAY[..DAY], --allow GUARD)."""
    _become("batch_ingest", context.args)


def dbt(context: typer.Context) -> None:
    """Run dbt on the platform's models: eydp dbt build, eydp dbt test, eydp dbt docs generate."""
    _become("dbt_job", context.args)


def docs(*, port: Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=0, max=65535)] = 8580) -> None:
    """Describe the models as they are in the warehouse, and serve dbt's pages on 127.0.0.1 until interrupted."""
    from eydp import environment

    environment.context()
    command = environment.program("dbt_job", "docs", "generate")
    done = subprocess.run(command, env=environment.child_environment(), check=False)  # noqa: S603 - one of our own programs
    if done.returncode:
        raise typer.Exit(done.returncode)
    _become("dbt_job", ["docs", "serve", "--host", "127.0.0.1", "--port", str(port), "--no-browser"])


def _become(module: str, arguments: list[str]) -> None:
    """Run a program in this one's place, so that signals and exit code are its own."""
    from eydp import environment

    if not {"--help", "-h"} & set(arguments):
        environment.context()
    command = environment.program(module, *arguments)
    os.execve(command[0], command, environment.child_environment())  # noqa: S606 - one of our own programs, no shell
