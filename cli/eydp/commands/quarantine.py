"""`eydp quarantine list`, `show`, `redrive`, `discard`."""

from typing import Annotated, Any, Literal

import typer

from eydp.commands import filters
from eydp.commands.options import AsJson

app = typer.Typer(no_args_is_help=True, help="Look at what could not become a row; publish it again or discard it.")

AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV with a header, for scripts.")]


@app.command("list")
def list_entries(
    *,
    entity: filters.Entity = None,
    reason: filters.Reason = None,
    since: filters.Since = None,
    day: filters.Day = None,
    state: Annotated[
        Literal["open", "redriven", "discarded", "all"], typer.Option("--state", help="open includes those in doubt.")
    ] = "open",
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="Entries shown at most.")] = 50,
    summary: Annotated[bool, typer.Option("--summary", help="Count by entity, stage, reason and state.")] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """List entries, the newest first, one a line."""
    from eydp import tables
    from eydp.environment import context
    from eydp.redrive import shown
    from eydp.redrive.wiring import Tools, working_with

    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv exclude each other")
    wanted = filters.selection(entity=entity, reason=reason, since=since, day=day, state=state)

    async def ask(tools: Tools) -> tuple[list[dict[str, Any]], int]:
        if summary:
            counted = await tools.entries.summary(wanted)
            return counted, len(counted)
        found = await tools.entries.find(wanted, limit=limit, newest_first=True)
        return [_line(entry) for entry in found.entries], found.total

    with tables.working("asking the warehouse", quiet=as_json or as_csv):
        rows, total = working_with(context(), ask)
    if as_json:
        tables.print_json(rows)
    elif as_csv:
        tables.print_csv(list(rows[0]) if rows else [], rows)
    elif rows:
        shown.lines(rows if summary else [{k: v for k, v in row.items() if k in _SHORT} for row in rows])
    else:
        shown.say("no entries" if state == "all" else f"no {state} entries")
    if total > len(rows):
        tables.notes.print(f"{len(rows)} of {total} entries; --limit gives more", style="dim")


_SHORT = ("id", "quarantined_at", "entity", "stage", "reason", "attempts", "state", "detail")


def _line(entry: Any) -> dict[str, Any]:
    return {
        "id": entry.id,
        "quarantined_at": entry.quarantined_at,
        "entity": entry.entity,
        "stage": entry.stage,
        "reason": entry.reason,
        "attempts": entry.redrives,
        "state": entry.state,
        "detail": entry.detail,
        "first_quarantined_at": entry.first_quarantined_at,
        "raw_uri": entry.raw_uri,
    }


@app.command()
def show(
    entry_id: Annotated[str, typer.Argument(metavar="ID", help="The entry.")],
    *,
    max_bytes: Annotated[int, typer.Option("--max-bytes", min=0, help="Payload bytes shown at most.")] = 4096,
    as_json: AsJson = False,
) -> None:
    """Show all that is known of one entry: history, attributes, payload, and what the consumer says of it now."""
    from eydp import tables
    from eydp.environment import context
    from eydp.redrive import shown
    from eydp.redrive.inspect import inspect
    from eydp.redrive.payload import as_text, for_scripts
    from eydp.redrive.wiring import working_with

    with tables.working("asking the warehouse", quiet=as_json):
        found = working_with(context(), lambda tools: inspect(tools, entry_id))
    if as_json:
        tables.print_json(
            {
                **_line(found.entry),
                "consumer_now": found.verdict,
                "attributes": found.original.attributes,
                "occurrences": found.occurrences,
                "actions": found.actions,
                **for_scripts(found.original.data, max_bytes),
            }
        )
        return
    shown.fields({**_line(found.entry), "consumer_now": found.verdict})
    shown.say("\nin quarantine")
    shown.lines(found.occurrences)
    shown.say("\nactions" if found.actions else "\nno actions")
    shown.lines(found.actions)
    shown.say("\nattributes" if found.original.attributes else "\nno attributes")
    if found.original.attributes:
        shown.fields(dict(sorted(found.original.attributes.items())))
    shown.say(f"\npayload, {len(found.original.data)} bytes")
    shown.say(as_text(found.original.data, max_bytes))


@app.command()
def redrive(
    ids: filters.Ids = None,
    *,
    entity: filters.Entity = None,
    reason: filters.Reason = None,
    since: filters.Since = None,
    day: filters.Day = None,
    everything: filters.All = False,
    limit: filters.Limit = 10_000,
    dry_run: filters.DryRun = False,
    lease_seconds: filters.LeaseSeconds = 60,
    as_json: AsJson = False,
) -> None:
    """Publish open entries again, the oldest first: the original bytes and attributes, with a mark."""
    from eydp.environment import context
    from eydp.redrive import quarantine, shown
    from eydp.redrive.wiring import Tools, working_with

    wanted = filters.selection(ids, entity=entity, reason=reason, since=since, day=day)
    filters.require_choice(chosen=wanted.narrow, everything=everything, verb="redrive")
    report = quarantine.Report()

    async def publish(tools: Tools) -> str:
        async def work() -> None:
            # Looked up under the lease, so that what the last run did is seen.
            entries = await quarantine.chosen(tools.entries, wanted, limit, report)
            async with tools.publisher() as publisher:
                run = quarantine.Redrive(
                    tools.originals, None if dry_run else publisher, None if dry_run else tools.ledger()
                )
                await run.run(entries, tools.clock.now(), report)

        if dry_run:
            await work()
        else:
            await tools.lease("quarantine", lease_seconds).hold(work)
        return tools.run_id

    run_id = working_with(context(), publish)
    _tell(report, run_id, list(shown.redriven(report, dry_run=dry_run)), as_json=as_json)


@app.command()
def discard(
    ids: filters.Ids = None,
    *,
    note: filters.Note,
    entity: filters.Entity = None,
    reason: filters.Reason = None,
    since: filters.Since = None,
    day: filters.Day = None,
    everything: filters.All = False,
    limit: filters.Limit = 10_000,
    dry_run: filters.DryRun = False,
    lease_seconds: filters.LeaseSeconds = 60,
    as_json: AsJson = False,
) -> None:
    """Close open entries without publishing them. Their bytes stay where they are."""
    from eydp.environment import context
    from eydp.redrive import quarantine, shown
    from eydp.redrive.wiring import Tools, working_with

    wanted = filters.selection(ids, entity=entity, reason=reason, since=since, day=day)
    filters.require_choice(chosen=wanted.narrow, everything=everything, verb="discard")
    why = filters.require_note(note)
    report = quarantine.Report()

    async def close(tools: Tools) -> str:
        async def work() -> None:
            entries = await quarantine.chosen(tools.entries, wanted, limit, report)
            await quarantine.discard(entries, None if dry_run else tools.ledger(), why, report)

        if dry_run:
            await work()
        else:
            await tools.lease("quarantine", lease_seconds).hold(work)
        return tools.run_id

    run_id = working_with(context(), close)
    _tell(report, run_id, list(shown.discarded(report, dry_run=dry_run)), as_json=as_json)


def _tell(report: Any, run_id: str, sentences: list[str], *, as_json: bool) -> None:
    from dataclasses import asdict

    from eydp.redrive import shown
    from eydp.tables import print_json

    if as_json:
        print_json({"run_id": run_id, **asdict(report)})
        return
    for sentence in sentences:
        shown.say(sentence)
