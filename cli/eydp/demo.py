"""`eydp demo`: the whole platform once, on this machine, on the shop's real data."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from dataplatform.errors import PlatformError
from eydp import environment
from eydp.environment import DATA_DIR
from eydp.provision.run import provision
from eydp.tables import console, print_json, show_checks, show_rows
from eydp.verify.gather import verify
from localcloud.control import down, up_detached
from localcloud.stack import StackOptions
from localcloud.state import read_state

_QUESTIONS = (
    (
        "Top products by revenue",
        """
        select p.title as product, sum(o.quantity) as items, sum(o.amount) as revenue
        from bq_analytics.fact_orders as o
        join bq_analytics.dim_products as p on p.product_key = o.product_key
        group by p.title
        order by revenue desc, product
        limit 5
        """,
    ),
    (
        "Best customers",
        """
        select u.user_id, u.city, count(distinct o.cart_id) as carts, sum(o.amount) as revenue
        from bq_analytics.fact_orders as o
        join bq_analytics.dim_users as u on u.user_key = o.user_key
        group by u.user_id, u.city
        order by revenue desc, user_id
        limit 5
        """,
    ),
)
_TAIL_LINES = 15
_STEP_SECONDS = 300


@dataclass(frozen=True, slots=True)
class _StepFailedError(Exception):
    """A step of the demo ended with an error."""

    step: str
    code: int
    tail: str


def run_demo(*, fresh: bool, keep: bool, as_json: bool) -> int:
    """Run every step and return the exit code: the failing step's, 65 when the figures differ, 0 otherwise."""
    console.quiet = as_json
    started = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the stack is stopped then, too
    for name in [name for name in os.environ if name.startswith("EYDP_") or name.endswith("_EMULATOR_HOST")]:
        del os.environ[name]  # the demo is the embedded stack's, whatever the shell is set up for
    ours = read_state(DATA_DIR) is None
    try:
        return _steps(fresh=fresh, keep=keep, as_json=as_json, ours=ours, started=started)
    except _StepFailedError as error:
        console.quiet = False
        console.print(error.tail, markup=False)
        raise PlatformError(f"the step '{error.step}' failed with exit code {error.code}") from error
    finally:
        if ours and not keep:
            _timed("stop the stack", lambda: down(DATA_DIR))


def _start_stack(*, fresh: bool, keep: bool) -> None:
    """Start the stack: detached when it is to stay, else as a child that ends with this process, however it ends."""
    if keep:
        up_detached(StackOptions(data_dir=DATA_DIR, fresh=fresh))
        return
    arguments = ["up", "--data-dir", str(DATA_DIR), *(["--fresh"] if fresh else [])]
    process = subprocess.Popen(  # noqa: S603 - one of our own programs
        environment.program("localcloud", *arguments), stdout=subprocess.PIPE, text=True
    )
    if process.stdout is None or not process.stdout.readline():  # its first line says that all servers are ready
        raise _StepFailedError("start the embedded stack", process.wait(), "")


def _steps(*, fresh: bool, keep: bool, as_json: bool, ours: bool, started: float) -> int:
    if ours:
        _timed("start the embedded stack", lambda: _start_stack(fresh=fresh, keep=keep))
    else:
        console.print("using the stack that is up")
    context = environment.context()
    _timed("provision", lambda: asyncio.run(provision(context.platform, context.emulators, dry_run=False)))
    _run("batch: products and users", "batch_ingest")
    _run("poll the carts", "carts_poller", "--once")
    _run("consume the events", "carts_consumer", "--until-idle", "1")
    _run("dbt build", "dbt_job", "build")
    checks = _timed("verify", lambda: asyncio.run(verify(context)))
    show_checks(checks)
    answers = {title: _ask(query) for title, query in _QUESTIONS}
    for title, rows in answers.items():
        show_rows(rows, title)
    agrees = all(check.agrees for check in checks)
    if as_json:
        print_json({"agrees": agrees, "checks": [{"figure": c.name, **c.figures} for c in checks], **answers})
    console.print(
        f"Done in {time.monotonic() - started:.0f} s. To look around: `make up`, then `.venv/bin/eydp sql --help`."
    )
    return 0 if agrees else 65


def _timed[T](step: str, work: Callable[[], T]) -> T:
    started = time.monotonic()
    console.print(f"{step:<28} ", end="")
    result = work()
    console.print(f"[green]ok[/] {time.monotonic() - started:5.1f} s")
    return result


def _run(step: str, module: str, *arguments: str) -> None:
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
            raise _StepFailedError(step, 69, "\n".join(output.splitlines()[-_TAIL_LINES:])) from error
        if done.returncode:
            raise _StepFailedError(step, done.returncode, "\n".join(done.stdout.splitlines()[-_TAIL_LINES:]))

    _timed(step, work)


def _ask(query: str) -> list[dict[str, object]]:
    from dataplatform import clients
    from dataplatform.clock import SystemClock
    from dataplatform.retry import Retrier, RetryPolicy
    from dataplatform.warehouse import Warehouse

    context = environment.context()
    warehouse = Warehouse(
        clients.bigquery_client(context.platform, context.emulators),
        Retrier(RetryPolicy(deadline_seconds=30), SystemClock()),
        component="demo",
        timeout_seconds=context.platform.request_timeout_seconds,
    )
    return asyncio.run(warehouse.query(query))
