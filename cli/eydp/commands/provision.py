"""`eydp provision`."""

import asyncio
from typing import Annotated

import typer

from eydp.commands.options import AsJson


def provision(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create datasets, tables, bucket, topics and subscriptions; twice changes nothing."""
    from dataclasses import asdict

    from eydp.environment import context
    from eydp.provision.plan import summary
    from eydp.provision.run import provision as run_provision
    from eydp.tables import console, print_json, show_steps, working

    given = context()
    with working("looking at what is there" if dry_run else "provisioning", quiet=as_json):
        steps = asyncio.run(run_provision(given.platform, given.emulators, dry_run=dry_run))
    if as_json:
        print_json([asdict(step) for step in steps])
        return
    show_steps(steps)
    console.print(summary(steps, done=not dry_run))
