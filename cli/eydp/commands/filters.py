"""The options by which quarantine entries are chosen, and what they mean together."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from eydp.redrive.selection import Selection, Wanted

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Entries; without any, the filters choose.")]
Entity = Annotated[str | None, typer.Option("--entity", help="carts_events, products or users.")]
Reason = Annotated[str | None, typer.Option("--reason", help="The short code, such as not_json.")]
Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="Quarantined since: 90m, 24h, 7d, or an ISO time in UTC.")
]
Day = Annotated[str | None, typer.Option("--day", metavar="DATE", help="Quarantined on this day, in UTC.")]
All = Annotated[bool, typer.Option("--all", help="Choose everything that is open.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done and change nothing.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most so many in this run.")]
Note = Annotated[str, typer.Option("--note", help="Why; kept in the ledger.")]
LeaseSeconds = Annotated[
    int,
    typer.Option("--lease-seconds", min=10, max=600, help="A run that died keeps others out for so long."),
]


def selection(
    ids: list[str] | None = None,
    *,
    entity: str | None = None,
    reason: str | None = None,
    since: str | None = None,
    day: str | None = None,
    state: "Wanted" = "open",
) -> "Selection":
    """Return the selection that the options describe; options that contradict each other are a usage error."""
    from eydp.redrive.selection import Selection, moment, whole_day

    if since and day:
        raise typer.BadParameter("--since and --day exclude each other")
    filters = [name for name, value in (("--entity", entity), ("--reason", reason), ("--since", since)) if value]
    if ids and (filters or day):
        raise typer.BadParameter(f"ids and {(filters or ['--day'])[0]} exclude each other")
    try:
        first, before = whole_day(day) if day else (moment(since, datetime.now(UTC)) if since else None, None)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return Selection(tuple(dict.fromkeys(ids or ())), entity, reason, first, before, state)


def require_choice(*, chosen: bool, everything: bool, verb: str) -> None:
    """Refuse a command that was told nothing of what it is about, or both something and everything."""
    if chosen and everything:
        raise typer.BadParameter("--all and a choice exclude each other")
    if not chosen and not everything:
        raise typer.BadParameter(f"say what to {verb}: ids, filters, or --all")


def require_note(note: str) -> str:
    """Return the note; refuse an empty one."""
    if not note.strip():
        raise typer.BadParameter("--note must say why")
    return note.strip()
