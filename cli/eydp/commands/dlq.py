"""`eydp dlq list`, `show`, `redrive`, `discard`."""

from typing import Annotated, Any

import typer

from eydp.commands import filters
from eydp.commands.options import AsJson

app = typer.Typer(
    no_args_is_help=True, help="Look at messages that Pub/Sub gave up; publish them again or discard them."
)

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Message ids as `list` shows them.")]
All = Annotated[bool, typer.Option("--all", help="Take every dead letter.")]
Wait = Annotated[float, typer.Option("--wait", min=1, help="Stop when none came for so many seconds.")]


@app.command("list")
def list_letters(
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Letters shown at most.")] = 50,
    wait: Wait = 5,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header, for scripts.")] = False,
) -> None:
    """List dead letters, one a line, and give them back."""
    from dataclasses import asdict, fields

    from eydp import tables
    from eydp.environment import context
    from eydp.redrive import dlq, shown
    from eydp.redrive.wiring import Tools, working_with

    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv exclude each other")

    async def look(tools: Tools) -> tuple[list[dlq.Letter], bool]:
        async with tools.dead_letters(lease_seconds=_LOOK_SECONDS, wait_seconds=wait) as letters:
            return await dlq.listed(letters, limit)

    with tables.working("pulling dead letters", quiet=as_json or as_csv):
        found, complete = working_with(context(), look)
    rows = [asdict(letter) for letter in found]
    if as_json:
        tables.print_json(rows)
    elif as_csv:
        tables.print_csv([field.name for field in fields(dlq.Letter)], rows)
    elif rows:
        shown.lines(rows)
    else:
        shown.say(shown.NONE_CAME)
    if not complete:
        tables.notes.print(f"the first {len(rows)} that came; --limit gives more", style="dim")


#: How long letters stay away when a look at them dies.
_LOOK_SECONDS = 30


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="The message id as `list` shows it.")],
    *,
    max_bytes: Annotated[int, typer.Option("--max-bytes", min=0, help="Payload bytes shown at most.")] = 4096,
    wait: Wait = 5,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter: attributes, payload, and what the consumer says of it now. It is given back."""
    from dataclasses import asdict

    from eydp import tables
    from eydp.environment import context
    from eydp.redrive import dlq, shown
    from eydp.redrive.payload import as_text, for_scripts
    from eydp.redrive.verdict import verdict
    from eydp.redrive.wiring import Tools, working_with

    async def look(tools: Tools) -> tuple[Any, str]:
        async with tools.dead_letters(lease_seconds=_LOOK_SECONDS, wait_seconds=wait) as letters:
            received = await dlq.one(letters, letter_id)
            return received, str(verdict(received.message.data, received.message.attributes, tools.clock.now()))

    with tables.working("pulling dead letters", quiet=as_json):
        received, said = working_with(context(), look)
    message = received.message
    letter = {**asdict(dlq.Letter.of(received)), "ordering_key": message.ordering_key, "consumer_now": said}
    attributes = dict(sorted(message.attributes.items()))
    if as_json:
        tables.print_json({**letter, "attributes": attributes, **for_scripts(message.data, max_bytes)})
        return
    shown.fields(letter)
    shown.say("\nattributes" if attributes else "\nno attributes")
    if attributes:
        shown.fields(attributes)
    shown.say(f"\npayload, {len(message.data)} bytes")
    shown.say(as_text(message.data, max_bytes))


@app.command()
def redrive(
    ids: Ids = None,
    *,
    everything: All = False,
    limit: filters.Limit = 10_000,
    dry_run: filters.DryRun = False,
    wait: Wait = 5,
    lease_seconds: filters.LeaseSeconds = 60,
    as_json: AsJson = False,
) -> None:
    """Publish dead letters again, with a mark and without Pub/Sub's own attributes, and take them out."""
    from eydp.environment import context
    from eydp.redrive import dlq, shown
    from eydp.redrive.wiring import Tools, working_with

    filters.require_choice(chosen=bool(ids), everything=everything, verb="redrive")

    async def publish(tools: Tools) -> dlq.Report:
        async def work() -> dlq.Report:
            async with (
                tools.publisher() as publisher,
                tools.dead_letters(lease_seconds=lease_seconds, wait_seconds=wait) as letters,
            ):
                sender = None if dry_run else publisher
                return await dlq.publish_again(letters, frozenset(ids or ()), limit, sender, tools.clock)

        return await work() if dry_run else await tools.lease("dlq", lease_seconds).hold(work)

    report = working_with(context(), publish)
    _tell(report, list(shown.letters_redriven(report, dry_run=dry_run)), as_json=as_json)


@app.command()
def discard(
    ids: Ids = None,
    *,
    note: filters.Note,
    everything: All = False,
    limit: filters.Limit = 10_000,
    wait: Wait = 5,
    lease_seconds: filters.LeaseSeconds = 60,
    as_json: AsJson = False,
) -> None:
    """Move dead letters into quarantine, closed there as discarded, and take them out."""
    from eydp.environment import context
    from eydp.redrive import dlq, shown
    from eydp.redrive.wiring import Tools, working_with

    filters.require_choice(chosen=bool(ids), everything=everything, verb="discard")
    why = filters.require_note(note)

    async def close(tools: Tools) -> dlq.Report:
        async def work() -> dlq.Report:
            async with (
                tools.quarantine() as quarantine,
                tools.dead_letters(lease_seconds=lease_seconds, wait_seconds=wait) as letters,
            ):
                discarding = dlq.Discard(letters, quarantine, tools.ledger(), tools.clock, why)
                return await discarding.run(frozenset(ids or ()), limit)

        return await tools.lease("dlq", lease_seconds).hold(work)

    report = working_with(context(), close)
    _tell(report, list(shown.letters_discarded(report)), as_json=as_json)


def _tell(report: Any, sentences: list[str], *, as_json: bool) -> None:
    from dataclasses import asdict

    from eydp.redrive import shown
    from eydp.tables import print_json

    if as_json:
        print_json(asdict(report))
        return
    for sentence in sentences:
        shown.say(sentence)
