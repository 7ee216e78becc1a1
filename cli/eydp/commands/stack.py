"""`eydp up`, `down`, `status`, `env`: the embedded stack. The arguments are those of `python -m localcloud`."""

import sys

import typer


def up(context: typer.Context) -> None:
    """Start the embedded stack (--detach leaves it running; --help lists ports and sizes)."""
    _localcloud("up", context.args)


def down(context: typer.Context) -> None:
    """Stop the embedded stack; says so when it was not up."""
    _localcloud("down", context.args)


def status(context: typer.Context) -> None:
    """Say whether the embedded stack is up, and where (--json)."""
    _localcloud("status", context.args)


def env(context: typer.Context) -> None:
    """Print the stack's variables for other programs (--tools: bq and gcloud too): eval "$(eydp env)"."""
    _localcloud("env", context.args)


def _localcloud(command: str, arguments: list[str]) -> None:
    from localcloud.cli import main

    sys.exit(main([command, *arguments]))
