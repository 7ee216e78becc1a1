"""How results are shown: rich tables for people, JSON for scripts."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from eydp.provision.plan import Step
from eydp.verify.reconcile import PLACES, Check

console = Console(highlight=False, soft_wrap=False)


def print_json(value: Any) -> None:
    """Print a value for a script."""
    print(json.dumps(value, default=str, indent=2))  # noqa: T201 - what a script reads


def show_rows(rows: Sequence[Mapping[str, Any]], title: str = "") -> None:
    """Print query rows as a table."""
    table = Table(title=title or None, title_justify="left")
    for name in rows[0] if rows else ():
        numeric = all(isinstance(row[name], int | float) or hasattr(row[name], "quantize") for row in rows)
        table.add_column(name, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    console.print(table if rows else "no rows")


def show_steps(steps: Iterable[Step]) -> None:
    """Print a provisioning plan, one line a resource."""
    for step in steps:
        style = "dim" if step.verb == "unchanged" else "green"
        console.print(f"[{style}]{step.verb:<10}[/] {step.resource}  [dim]{step.detail}[/]")


def show_checks(checks: Sequence[Check]) -> None:
    """Print the verification table."""
    table = Table(title="Verification", title_justify="left")
    table.add_column("figure")
    for place in PLACES:
        table.add_column(place, justify="right")
    table.add_column("")
    for check in checks:
        verdict = "[green]same[/]" if check.agrees else "[bold red]DIFFERS[/]"
        table.add_row(check.name, *(check.figures.get(place, "") for place in PLACES), verdict)
    console.print(table)
