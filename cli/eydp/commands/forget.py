"""`eydp forget`."""

from typing import Annotated

import typer

from dataplatform.errors import BusyError
from eydp.commands.options import AsJson


def forget(
    *,
    user: Annotated[int, typer.Option("--user", min=0, help="The shop's id of the user.")],
    source: Annotated[
        str | None, typer.Option("--source", help="Name of the shop; EYDP_SOURCE_NAME without it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Remove one person from raw zone, raw tables, snapshots and marts, and never take the person in again."""
    from dataplatform.logs import logger
    from eydp.commands.upkeep import progress
    from eydp.environment import context
    from eydp.forget import run
    from eydp.redrive.shown import fields, say
    from eydp.replay.wiring import working_with
    from eydp.tables import print_json

    given = context()
    shop = source or given.source.name
    with progress("looking for the user", quiet=as_json) as show:
        report = working_with(given, "forget", lambda tools: run.forget(tools, shop, user, show))
    summary = report.summary()
    # Neither here nor anywhere else is it told who was forgotten.
    logger().info("forgotten", **summary)
    if as_json:
        print_json(summary)
    else:
        rows = summary.pop("rows")
        shown = {name: value for name, value in summary.items() if name not in {"come_back_after", "still_sent"}}
        fields({**shown, **{f"rows of {table}": count for table, count in rows.items()}})
        if report.still_sent:
            say("the last load still had the user: have the shop delete the account too; the loader leaves it out")
    if report.come_back_after:
        raise BusyError(
            f"{report.young} rows of quarantine are too young to be deleted: come back after "
            f"{report.come_back_after:%Y-%m-%d %H:%M:%S} UTC; all else is done"
        )
