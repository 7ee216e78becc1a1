"""`eydp replay`."""

from typing import Annotated, Literal

import typer

from dataplatform.errors import InvalidDataError
from eydp.commands.options import AsJson


def replay(
    *,
    entity: Annotated[
        Literal["carts_events", "quarantine"], typer.Option("--entity", help="Which raw table is mended.")
    ] = "carts_events",
    first: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="First day of the raw zone, in UTC.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last day; today.")] = None,
    lookback_days: Annotated[
        int, typer.Option("--lookback-days", min=1, max=3650, help="Days up to today, without --from.")
    ] = 2,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 65 when something is missing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare raw zone and raw table, append what is missing, remove what is there twice."""
    from dataplatform.logs import logger
    from eydp.commands.upkeep import chosen_days, progress
    from eydp.environment import context
    from eydp.redrive.shown import fields
    from eydp.replay import start
    from eydp.replay.wiring import working_with
    from eydp.tables import print_json

    days = chosen_days(first, last, lookback_days)
    given = context()
    with progress("reading the raw zone", quiet=as_json) as show:
        report = working_with(
            given, "replay", lambda tools: start.replay(tools, entity, days, check=check, progress=show)
        )
    summary = report.summary()
    logger().info("replayed", **summary)
    if as_json:
        print_json({**summary, "job_ids": report.job_ids})
    else:
        fields({name: value for name, value in summary.items() if value or name not in _ONLY_WHEN_THERE})
    if check and report.missing:
        raise InvalidDataError(
            f"{report.missing} of {report.found} have no row: `eydp replay --entity {entity} --from {days[0]} --to "
            f"{days[1]}` appends them"
        )


_ONLY_WHEN_THERE = ("check", "invalid", "refused", "young_objects", "young_lines")
