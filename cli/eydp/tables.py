"""How results are shown: rich tables for people, JSON and CSV for scripts, notes on stderr."""

import base64
import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from eydp.verify.reconcile import CARTS_SHOWN, PLACES, Check, shown

if TYPE_CHECKING:
    from eydp.doctor import Finding
    from eydp.provision.plan import Step

console = Console(highlight=False, soft_wrap=False)
notes = Console(highlight=False, soft_wrap=True, stderr=True)


@contextmanager
def working(what: str, *, quiet: bool = False) -> Iterator[None]:
    """Show on a terminal that something goes on while the block runs."""
    if quiet or not console.is_terminal:
        yield
        return
    with console.status(f"{what} …"):
        yield


def print_json(value: Any) -> None:
    """Print a value for a script: exact numbers as text, times as ISO 8601, bytes as base64."""
    print(json.dumps(value, default=_plain, indent=2, ensure_ascii=False))  # noqa: T201 - what a script reads


def print_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows as CSV with a header; null is empty, structs and arrays are JSON."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_text(row[name]) for name in columns])


def show_rows(rows: Sequence[Mapping[str, Any]], title: str = "") -> None:
    """Print query rows as a table."""
    if not rows:
        console.print("no rows")
        return
    table = Table(title=title or None, title_justify="left")
    for name in rows[0]:
        numeric = all(isinstance(row[name], int | float | Decimal | None) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_escaped(_text(value)) for value in row.values()))
    console.print(table)


def show_steps(steps: Iterable["Step"]) -> None:
    """Print a provisioning plan, one line a resource."""
    for step in steps:
        style = "dim" if step.verb == "unchanged" else "green"
        console.print(f"[{style}]{step.verb:<10}[/] {step.resource}  [dim]{step.detail}[/]", soft_wrap=True)


def show_findings(findings: Iterable["Finding"]) -> None:
    """Print what the doctor found, one line a dependency."""
    for finding in findings:
        mark = "[green]ok  [/]" if finding.ok else "[bold red]FAIL[/]"
        mend = "" if finding.ok else f": {_escaped(finding.mend)}"
        console.print(f"{mark} {_escaped(finding.what)}{mend}", soft_wrap=True)


def show_checks(checks: Sequence[Check]) -> None:
    """Print the verification table; of very many carts only those that differ."""
    table = Table(title="Verification", title_justify="left")
    table.add_column("figure")
    for place in PLACES:
        table.add_column(place, justify="right")
    table.add_column("")
    rows = shown(checks)
    for check in rows:
        verdict = "[green]same[/]" if check.agrees else "[bold red]DIFFERS[/]"
        table.add_row(check.name, *(check.figures.get(place, "") for place in PLACES), verdict)
    console.print(table)
    if len(rows) < len(checks):
        left_out = len(checks) - len(rows)
        console.print(f"{left_out} figures of single carts left out, as there are more than {CARTS_SHOWN} carts")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list | bool):
        return json.dumps(value, default=_plain, ensure_ascii=False)
    return str(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
