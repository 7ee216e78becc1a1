"""`eydp compact`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import typer

from eydp.commands.options import AsJson


def compact(
    *,
    entity: Annotated[Literal["carts_events"], typer.Option("--entity", help="What is joined.")] = "carts_events",
    day: Annotated[
        str | None, typer.Option("--date", metavar="DATE", help="Day of the raw zone, in UTC; yesterday.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Join a day's small objects into few, check them, and retire the originals."""
    from dataplatform.logs import logger
    from eydp.commands import upkeep
    from eydp.compact.run import Compaction, Report
    from eydp.environment import context
    from eydp.redrive.shown import fields
    from eydp.replay.wiring import Upkeep, working_with
    from eydp.tables import print_json

    chosen = upkeep.day(day) if day else datetime.now(UTC).date() - timedelta(days=1)
    given = context()
    with upkeep.progress("joining objects", quiet=as_json) as show:

        async def work(tools: Upkeep) -> Report:
            report = Report(tools.run_id, chosen)
            run = Compaction(tools.zone, tools.bucket, tools.archive, tools.settings, tools.clock, show)
            await tools.lease(f"compact-{entity}").hold(lambda: run.run(report))
            return report

        report = working_with(given, "compact", work)
    summary = report.summary()
    logger().info("compacted", **summary)
    if as_json:
        print_json(summary)
    else:
        fields(summary)
