"""`eydp rebuild`."""

from typing import Annotated

import typer

from dataplatform.errors import InvalidDataError
from eydp.commands.options import AsJson


def rebuild(
    *,
    dataset: Annotated[str, typer.Option("--dataset", help="The raw dataset, as EYDP_DATASET_RAW calls it.")],
    apply: Annotated[
        bool, typer.Option("--apply", help="Put the rebuilt tables in the place of the old ones.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the rebuilt dataset for a look, for seven days.")] = False,
    accept: Annotated[
        bool, typer.Option("--accept-differences", help="Apply also when rows are lost or become others.")
    ] = False,
    despite_young: Annotated[
        bool, typer.Option("--despite-young-rows", help="Apply also when rows were streamed just now.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make every raw table anew from the raw zone, compare it with the old one, and swap on --apply."""
    from dataclasses import asdict

    from dataplatform.logs import logger
    from eydp import tables
    from eydp.commands.upkeep import progress
    from eydp.environment import context
    from eydp.rebuild.compare import row
    from eydp.rebuild.run import Rebuild, Report
    from eydp.redrive import shown
    from eydp.replay.start import LEASE
    from eydp.replay.wiring import Upkeep, working_with

    given = context()
    if dataset != given.platform.dataset_raw:
        raise typer.BadParameter(
            f"--dataset {dataset} is not the raw dataset; only {given.platform.dataset_raw} can be rebuilt"
        )
    with progress("reading the raw zone", quiet=as_json) as show:

        async def work(tools: Upkeep) -> Report:
            run = Rebuild(tools, show)
            report = Report(tools.run_id, run.dataset)
            await tools.lease(LEASE).hold(
                lambda: run.run(report, apply=apply, keep=keep, accept=accept, despite_young=despite_young)
            )
            return report

        report = working_with(given, "rebuild", work)
    logger().info("rebuilt", run_id=report.run_id, swapped=report.swapped, harmless=report.harmless)
    if as_json:
        tables.print_json(asdict(report))
    else:
        shown.lines([row(each) for each in report.comparisons])
        for each in report.comparisons:
            for example in each.examples:
                shown.say(f"{each.table}: {example}")
        for note in report.notes:
            shown.say(note)
        if report.swapped:
            shown.say(f"swapped: {', '.join(report.swapped)}")
        if report.kept:
            shown.say(f"the rebuilt tables are in {report.dataset}; BigQuery drops them after seven days")
    if not report.harmless and not report.swapped:
        raise InvalidDataError(
            "the rebuilt tables lack or change rows of the old ones, see above: nothing was swapped; "
            "--accept-differences swaps all the same"
        )
