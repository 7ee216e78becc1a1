"""How entries, letters and runs are told to a person: one line an entry, one sentence a fact."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from eydp.redrive import dlq, quarantine
from eydp.redrive.payload import as_visible
from eydp.redrive.selection import PUBLISHED_ENTITY
from eydp.redrive.verdict import VALID
from eydp.tables import console

NONE_CAME = "no dead letter came; those that a run which died still holds come back when its lease has run out"
_BATCH = (
    "{n} of {entity} did not come through Pub/Sub and can't be published: mend the source or the contract, run "
    "`eydp batch --entity {entity}`, which reads them again, and discard these"
)
_CARTS = (
    "{n} carts were refused by the poller and are no messages: mend the shop or the contract, the poller reads them "
    "again at each poll, and discard these"
)


def lines(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows in columns, one line a row however narrow the terminal is."""
    if not rows:
        return
    texts = [list(rows[0]), *([_text(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        say("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def fields(given: Mapping[str, Any]) -> None:
    """Print names and values, one a line; what is empty is left out."""
    width = max(len(name) for name in given)
    for name, value in given.items():
        if text := _text(value):
            say(f"{name.ljust(width)}  {text}")


def say(text: str) -> None:
    """Print text as it is, not folded and not taken for markup."""
    console.print(text, markup=False, soft_wrap=True)


def redriven(report: quarantine.Report, *, dry_run: bool) -> Iterator[str]:
    """Yield the sentences about a redrive of quarantine entries."""
    if report.done:
        yield _published(_count(report.done, "entry", "entries"), report.now, dry_run=dry_run)
    if report.again:
        yield f"{report.again} of them were in doubt since a run that died; the consumer makes a copy harmless"
    yield from _left_alone(report)
    if not report.done:
        yield "nothing to redrive"


def discarded(report: quarantine.Report, *, dry_run: bool) -> Iterator[str]:
    """Yield the sentences about discarded quarantine entries."""
    if report.done:
        done = "would be discarded" if dry_run else "discarded"
        yield f"{_count(report.done, 'entry', 'entries')} {done}; the bytes stay in the bucket"
    yield from _left_alone(report)
    if not report.done:
        yield "nothing to discard"


def _left_alone(report: quarantine.Report) -> Iterator[str]:
    for entity, count in sorted(report.elsewhere.items()):
        yield (_CARTS if entity == PUBLISHED_ENTITY else _BATCH).format(n=count, entity=entity)
    if report.unpublishable:
        yield f"too large or too many attributes with the mark, left alone: {', '.join(report.unpublishable)}"
    if report.closed:
        yield f"not open, left alone: {', '.join(report.closed)}"
    if report.left:
        yield f"{report.left} more are left: run it again, or raise --limit"


def letters_redriven(report: dlq.Report, *, dry_run: bool) -> Iterator[str]:
    """Yield the sentences about a redrive of dead letters."""
    if report.done:
        yield _published(_count(report.done, "dead letter", "dead letters"), report.now, dry_run=dry_run)
    if report.unpublishable:
        yield f"too large or too many attributes with the mark, left alone: {', '.join(report.unpublishable)}"
    yield from _rest(report)


def letters_discarded(report: dlq.Report) -> Iterator[str]:
    """Yield the sentences about discarded dead letters."""
    if report.done:
        done = _count(report.done, "dead letter", "dead letters")
        yield f"{done} moved to quarantine, closed there as discarded, and acknowledged"
    yield from _rest(report)


def _rest(report: dlq.Report) -> Iterator[str]:
    if not report.complete:
        yield "it stopped at a limit and there may be more: run it again"
    if not report.done:
        yield NONE_CAME


def _published(what: str, now: Mapping[str, int], *, dry_run: bool) -> str:
    done = "would be published again" if dry_run else "published again"
    refused = ", ".join(f"{number} {reason}" for reason, number in sorted(now.items()) if reason != VALID)
    return f"{what} {done}" + (f"; this version's consumer refuses {refused}" if refused else "")


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}Z"
    return as_visible(str(value)).replace("\n", "\\n")
