"""`eydp demo`."""

import sys
from typing import Annotated

import typer

from eydp.commands.options import AsJson


def demo(
    *,
    fresh: Annotated[bool, typer.Option("--fresh", help="Wipe what earlier runs left in the warehouse.")] = False,
    keep: Annotated[bool, typer.Option("--keep/--down", help="Leave the stack up at the end, or stop it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run the whole platform on this machine, from the shop's API to the marts, and check the result."""
    from eydp.demo import run_demo

    sys.exit(run_demo(fresh=fresh, keep=keep, as_json=as_json))
