"""The command line: parsing and showing; the work is elsewhere."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

from dataplatform.errors import InvalidDataError, PlatformError
from dataplatform.retry import Verdict, classify, describe
from dataplatform.runtime import complain

app = typer.Typer(
    name="eydp",
    help="The EY Data Platform: shop API to Pub/Sub, Cloud Storage, BigQuery and a star schema.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def run() -> None:
    """Run the command line; a person's mistake ends in one sentence and an exit code."""
    try:
        app()
    except PlatformError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except Exception as error:
        verdict = classify(error)
        if verdict is Verdict.PERMANENT:
            raise
        complain(describe(error))
        sys.exit(78 if verdict is Verdict.MISCONFIGURED else 69)


def _await[T](work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(work())


def _start(module: str, arguments: list[str]) -> None:
    """Run one of the platform's programs in this one's place, so that signals and exit code are its own."""
    from eydp import environment

    if "--help" not in arguments:
        environment.context()
    command = environment.program(module, *arguments)
    os.execve(command[0], command, environment.child_environment())  # noqa: S606 - one of our own programs, no shell


@app.command()
def demo(
    *,
    fresh: Annotated[bool, typer.Option(help="Wipe what an earlier run left in bucket and warehouse.")] = False,
    keep: Annotated[bool, typer.Option(help="Leave the stack up, to look around.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run the whole platform on this machine, from the shop's API to the marts, and check the result."""
    from eydp.demo import run_demo

    sys.exit(run_demo(fresh=fresh, keep=keep, as_json=as_json))


@app.command(context_settings=_PASS_ON)
def up(context: typer.Context) -> None:
    """Start the embedded stack (--detach leaves it running; --help lists ports and sizes)."""
    from localcloud.cli import main

    sys.exit(main(["up", *context.args]))


@app.command(context_settings=_PASS_ON)
def down(context: typer.Context) -> None:
    """Stop the embedded stack; says so when it was not up."""
    from localcloud.cli import main

    sys.exit(main(["down", *context.args]))


@app.command(context_settings=_PASS_ON)
def status(context: typer.Context) -> None:
    """Say whether the embedded stack is up, and where."""
    from localcloud.cli import main

    sys.exit(main(["status", *context.args]))


@app.command(context_settings=_PASS_ON)
def env(context: typer.Context) -> None:
    """Print the variables that make any program use the embedded stack: eval "$(eydp env)"."""
    from localcloud.cli import main

    sys.exit(main(["env", *context.args]))


@app.command()
def provision(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create datasets, tables, bucket, topics and subscriptions; twice changes nothing."""
    from dataclasses import asdict

    from eydp.environment import context
    from eydp.provision.plan import summary
    from eydp.provision.run import provision as run_provision
    from eydp.tables import console, print_json, show_steps

    given = context()
    steps = _await(lambda: run_provision(given.platform, given.emulators, dry_run=dry_run))
    if as_json:
        print_json([asdict(step) for step in steps])
    else:
        show_steps(steps)
        console.print(summary(steps) if dry_run else "provisioned")


@app.command(context_settings=_PASS_ON)
def poll(context: typer.Context) -> None:
    """Poll the carts and publish their changes (--once: one poll)."""
    _start("carts_poller", context.args)


@app.command(context_settings=_PASS_ON)
def consume(context: typer.Context) -> None:
    """Consume cart events (--until-idle SECONDS: stop when nothing comes any more)."""
    _start("carts_consumer", context.args)


@app.command(context_settings=_PASS_ON)
def batch(context: typer.Context) -> None:
    """Load products and users (--entity, --date)."""
    _start("batch_ingest", context.args)


@app.command(context_settings=_PASS_ON)
def dbt(context: typer.Context) -> None:
    """Run dbt on the platform's models: eydp dbt build, eydp dbt test, eydp dbt docs generate."""
    _start("dbt_job", context.args)


@app.command()
def verify(*, as_json: AsJson = False) -> None:
    """Reconcile shop, raw zone, raw tables and marts; exit 65 on any difference."""
    from eydp.environment import context
    from eydp.tables import print_json, show_checks
    from eydp.verify.gather import verify as run_verify

    given = context()
    checks = _await(lambda: run_verify(given))
    if as_json:
        print_json([{"figure": check.name, "agrees": check.agrees, **check.figures} for check in checks])
    else:
        show_checks(checks)
    differing = [check.name for check in checks if not check.agrees]
    if differing:
        raise InvalidDataError(f"{len(differing)} figures differ: {', '.join(differing)}")


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="Standard SQL; datasets without a project are this project's.")],
    *,
    max_rows: Annotated[int, typer.Option(min=1, help="Rows shown at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Run a query on the configured warehouse and show the result as a table."""
    from google.api_core.exceptions import BadRequest

    from dataplatform import clients
    from dataplatform.clock import SystemClock
    from dataplatform.retry import Retrier, RetryPolicy
    from dataplatform.warehouse import Warehouse
    from eydp.environment import context
    from eydp.tables import console, print_json, show_rows

    given = context()
    warehouse = Warehouse(
        clients.bigquery_client(given.platform, given.emulators),
        Retrier(RetryPolicy(deadline_seconds=30), SystemClock()),
        component="sql",
        timeout_seconds=given.platform.request_timeout_seconds,
    )
    try:
        rows = _await(lambda: warehouse.query(query))
    except BadRequest as error:
        raise InvalidDataError(f"BigQuery refused the query: {describe(error)}") from error
    if as_json:
        print_json(rows[:max_rows])
        return
    show_rows(rows[:max_rows])
    if len(rows) > max_rows:
        console.print(f"{len(rows) - max_rows} more rows: see --max-rows")


@app.command()
def doctor(*, as_json: AsJson = False) -> None:
    """Check settings, reachability and permissions of every dependency, and say how to mend what fails."""
    from dataclasses import asdict

    from eydp.doctor import examine
    from eydp.environment import context
    from eydp.tables import console, print_json

    given = context()
    findings = _await(lambda: examine(given))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark = "[green]ok  [/]" if finding.ok else "[bold red]FAIL[/]"
            console.print(f"{mark} {finding.what}" + ("" if finding.ok else f": {finding.mend}"))
    if not all(finding.ok for finding in findings):
        sys.exit(78)
