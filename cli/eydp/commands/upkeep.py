"""How replay, rebuild and compaction show that they go on: a line on a terminal, now and then a log line elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import typer

_LOG_SECONDS = 10.0


@contextmanager
def progress(what: str, *, quiet: bool) -> Iterator[Callable[..., None]]:
    """Yield what is called with the counts so far, a dataclass with the fields `objects` and `lines`."""
    from dataplatform.logs import logger
    from eydp.tables import console

    if console.is_terminal and not quiet:
        with console.status(f"{what} …") as status:
            yield lambda counts: status.update(f"{what} … {counts.objects:,} objects, {counts.lines:,} lines")
        return
    last = time.monotonic()

    def log(counts: Any) -> None:
        nonlocal last
        if time.monotonic() - last >= _LOG_SECONDS:
            last = time.monotonic()
            logger().info(what, objects=counts.objects, lines=counts.lines)

    yield log


def chosen_days(first: str | None, last: str | None, lookback_days: int) -> tuple[date, date]:
    """Return the days from `--from` to `--to`; by default today and those before it.

    Raises:
        typer.BadParameter: a text is no day, or the days are the wrong way round.
    """
    today = datetime.now(UTC).date()
    to = day(last) if last else today
    since = day(first) if first else min(to, today - timedelta(days=lookback_days - 1))
    if since > to:
        raise typer.BadParameter(f"--from {since} is after --to {to}")
    if to > today:
        raise typer.BadParameter(f"{to} is in the future; today is {today} in UTC")
    return since, to


def day(text: str) -> date:
    """Return a day from its ISO form.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no day: give it as 2026-11-24") from error
