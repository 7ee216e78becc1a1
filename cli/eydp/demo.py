"""`eydp demo`: the whole platform once, on this machine, on the shop's real data."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from dataplatform import clients
from dataplatform.errors import InvalidDataError, PlatformError, UnavailableError
from eydp import environment
from eydp.environment import DATA_DIR, Context
from eydp.provision.run import provision
from eydp.query import ask
from eydp.tables import console, notes, print_json, show_checks, show_rows, working
from eydp.verify.gather import verify
from eydp.verify.reconcile import CENT, Check, difference
from localcloud.control import down, up_detached
from localcloud.stack import StackOptions
from localcloud.state import read_state

_QUESTIONS = (
    (
        "Top products by revenue",
        """
        select p.title as product, sum(o.quantity) as items, sum(o.amount) as revenue
        from {marts}.fact_orders as o
        join {marts}.dim_products as p on p.product_key = o.product_key
        group by p.title
        order by revenue desc, product
        limit 5
        """,
    ),
    (
        "Best customers",
        """
        select u.user_id, u.city, count(distinct o.cart_id) as carts, sum(o.amount) as revenue
        from {marts}.fact_orders as o
        join {marts}.dim_users as u on u.user_key = o.user_key
        group by u.user_id, u.city
        order by revenue desc, user_id
        limit 5
        """,
    ),
)
_NEXT = """\
To look around:
  {up}.venv/bin/eydp sql "select * from {marts}.fact_orders order by amount desc"
  .venv/bin/eydp sql "select city, count(*) as users from {marts}.dim_users group by city"
  .venv/bin/eydp verify
  .venv/bin/eydp down
"""
_TAIL_LINES = 15
_STEP_SECONDS = 300


class StepFailedError(Exception):
    """A step of the demo ended with an error: its exit code and its last lines."""

    def __init__(self, code: int, output: str) -> None:
        super().__init__(f"exit code {code}")
        self.code = code
        self.tail = "\n".join(output.splitlines()[-_TAIL_LINES:])


def run_demo(*, fresh: bool, keep: bool, as_json: bool) -> int:
    """Run every step and return 0.

    Raises:
        PlatformError: a step failed, with that step's exit code; or the figures differ, with 65.
    """
    console.quiet = as_json
    started = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the stack is stopped then, too
    for name in [name for name in os.environ if name.startswith("EYDP_") or name.endswith("_EMULATOR_HOST")]:
        del os.environ[name]  # the demo is the embedded stack's, whatever the shell is set up for
    ours = read_state(DATA_DIR) is None
    if fresh and not ours:
        raise PlatformError("--fresh wipes what the stack keeps, but the stack is up: stop it with `eydp down` first")
    try:
        if ours:
            _step("start the embedded stack", lambda: _start_stack(fresh=fresh, keep=keep))
        else:
            console.print("using the stack that is up", style="dim")
        environment.use_stack()
        context = environment.load()
        checks = _steps(context)
        answers = _answers(context)
    finally:
        if ours and not keep:
            _step("stop the stack", lambda: down(DATA_DIR))
    _show(checks, answers, as_json=as_json)
    if sentence := difference(checks):
        raise InvalidDataError(sentence)
    console.print(f"Done in {time.monotonic() - started:.0f} s.")
    up = "" if keep or not ours else ".venv/bin/eydp up --detach\n  "
    console.print(_NEXT.format(up=up, marts=context.platform.dataset_analytics), markup=False, end="", soft_wrap=True)
    return 0


def _steps(context: Context) -> list[Check]:
    _step("provision", lambda: asyncio.run(provision(context.platform, context.emulators, dry_run=False)))
    _program("batch: products and users", "batch_ingest")
    _program("poll the carts", "carts_poller", "--once")
    _program("consume the events", "carts_consumer", "--until-idle", "1")
    _program("dbt build", "dbt_job", "build")
    return _step("verify", lambda: asyncio.run(verify(context)))


def _answers(context: Context) -> dict[str, list[dict[str, Any]]]:
    client = clients.bigquery_client(context.platform, context.emulators)
    timeout = context.platform.request_timeout_seconds
    answers = {}
    for title, question in _QUESTIONS:
        query = question.format(marts=context.platform.dataset_analytics)
        rows = ask(client, query, max_rows=100, timeout_seconds=timeout).rows
        answers[title] = [
            {name: value.quantize(CENT) if isinstance(value, Decimal) else value for name, value in row.items()}
            for row in rows
        ]
    client.close()
    return answers


def _show(checks: Sequence[Check], answers: dict[str, list[dict[str, Any]]], *, as_json: bool) -> None:
    if as_json:
        figures = [{"figure": check.name, "agrees": check.agrees, **check.figures} for check in checks]
        print_json({"agrees": not difference(checks), "checks": figures, **answers})
        return
    show_checks(checks)
    for title, rows in answers.items():
        show_rows(rows, title)


def _start_stack(*, fresh: bool, keep: bool) -> None:
    """Start the stack: detached when it is to stay, else as a child that ends with this process, however it ends."""
    if keep:
        up_detached(StackOptions(data_dir=DATA_DIR, fresh=fresh))
        return
    command = environment.program("localcloud", "up", "--data-dir", str(DATA_DIR), *(["--fresh"] if fresh else []))
    process = subprocess.Popen(  # noqa: S603 - one of our own programs
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    # Its first line says that all servers are ready; without one it has ended and said why.
    if process.stdout is None or not process.stdout.readline():
        _, said = process.communicate()
        raise StepFailedError(process.returncode, said)


def _step[T](step: str, work: Callable[[], T]) -> T:
    """Do one step and print a line about it; its errors name it."""
    started = time.monotonic()
    try:
        with working(step, quiet=console.quiet):
            result = work()
    except StepFailedError as error:
        console.print(f"{step:<28} [bold red]failed[/]")
        notes.print(error.tail, markup=False)
        failure = PlatformError(f"the step '{step}' failed with exit code {error.code}")
        failure.exit_code = error.code
        raise failure from error
    except Exception:
        console.print(f"{step:<28} [bold red]failed[/]")
        raise
    console.print(f"{step:<28} [green]ok[/] {time.monotonic() - started:5.1f} s")
    return result


def _program(step: str, module: str, *arguments: str) -> None:
    def work() -> None:
        try:
            done = subprocess.run(  # noqa: S603 - one of our own programs
                environment.program(module, *arguments),
                env=environment.child_environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=_STEP_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            output = error.stdout.decode(errors="replace") if isinstance(error.stdout, bytes) else ""
            said = f"{output}\nnot done within {_STEP_SECONDS} s"
            raise StepFailedError(UnavailableError.exit_code, said) from error
        if done.returncode:
            raise StepFailedError(done.returncode, done.stdout)

    _step(step, work)
