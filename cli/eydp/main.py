"""The command line: which commands there are, and how an error ends.

Everything heavy is imported where it is used, so that `eydp --help` is quick.
"""

import sys
from typing import Annotated

import typer

from eydp.commands import (
    compact,
    demo,
    dlq,
    doctor,
    forget,
    programs,
    provision,
    push,
    quarantine,
    rebuild,
    replay,
    sql,
    stack,
    verify,
)
from eydp.commands.options import PASS_ON

app = typer.Typer(
    name="eydp",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"eydp {version('ey-data-platform')}")
        raise typer.Exit


@app.callback()
def about(
    *,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """The EY Data Platform: shop API to Pub/Sub, Cloud Storage, BigQuery and a star schema."""


app.command()(demo.demo)
app.command(context_settings=PASS_ON)(stack.up)
app.command(context_settings=PASS_ON)(stack.down)
app.command(context_settings=PASS_ON)(stack.status)
app.command(context_settings=PASS_ON)(stack.env)
app.command()(provision.provision)
app.command(context_settings=PASS_ON)(programs.poll)
app.command(context_settings=PASS_ON)(programs.consume)
app.command(context_settings=PASS_ON)(programs.batch)
app.command(context_settings=PASS_ON)(programs.dbt)
app.command()(programs.docs)
app.command()(push.push)
app.command()(replay.replay)
app.command()(rebuild.rebuild)
app.command()(compact.compact)
app.command()(forget.forget)
app.command()(verify.verify)
app.command()(sql.sql)
app.command()(doctor.doctor)
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(dlq.app, name="dlq")


def run() -> None:
    """Run the command line; a person's mistake ends in one sentence and an exit code."""
    from dataplatform.frames import leave_out_frames

    leave_out_frames()
    try:
        app()
    except Exception as raised:  # noqa: BLE001 - told to a person, or raised again
        from dataplatform.runtime import told

        error = told(raised)
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
