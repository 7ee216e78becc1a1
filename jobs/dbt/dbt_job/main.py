"""`python -m dbt_job`: the command line."""

import argparse
import json
import signal
import sys

from prometheus_client import CollectorRegistry, write_to_textfile

from dataplatform.clients import bigquery_client, storage_client
from dataplatform.clock import SystemClock
from dataplatform.errors import PlatformError
from dataplatform.logs import configure, logger
from dataplatform.metrics import DbtMetrics
from dataplatform.rawzone import RawZone
from dataplatform.retry import Retrier, RetryPolicy, describe
from dataplatform.runtime import complain, told
from dataplatform.settings import EmulatorSettings, PlatformSettings, load, refuse_unknown
from dataplatform.warehouse import Warehouse
from dbt_job.daily import Daily, RunDbt
from dbt_job.runner import run_dbt
from dbt_job.settings import DbtSettings
from dbt_job.summary import Verdict

_COMMANDS = (
    "run", "build", "test", "debug", "docs", "list", "ls", "parse", "compile", "show", "seed", "snapshot", "source",
    "retry", "run-operation", "daily",
)  # fmt: skip

_EPILOG = """\
daily does what the CronJob does: source freshness, build, retry once, docs; keeps the artifacts and tells of the run.
Everything after COMMAND goes to dbt, with or without a -- before it:
  python -m dbt_job build --select fact_orders+
  python -m dbt_job run-operation list_models

exit codes: 0 ok, 75 another daily run is at it, 65 data is wrong, 70 code is wrong, 69 the warehouse is away,
            78 a setting, table or permission is missing, 64 dbt has no such command or option
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one dbt command and return the exit code; say in one sentence what failed."""
    options, args = _parse(sys.argv[1:] if arguments is None else arguments)
    # Kubernetes stops a pod with SIGTERM: dbt cancels its queries on an interrupt, and only on that.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        refuse_unknown(PlatformSettings, EmulatorSettings, DbtSettings)
        if args[0] == "daily":
            return _daily(lambda command: run_dbt(command, target=options.target))
        outcome = run_dbt(args, target=options.target, quiet_stdout=options.json)
    except PlatformError as error:
        complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        complain("stopped before it was done.")
        return Verdict.INTERRUPTED.exit_code
    if options.json:
        sys.stdout.write(json.dumps(outcome.summary.as_json()) + "\n")
    if outcome.summary.verdict is not Verdict.OK:
        complain(outcome.summary.sentence())
    return outcome.exit_code


def _daily(run_one: RunDbt) -> int:
    """Wire up a daily run and do it."""
    platform, emulators, own = load(PlatformSettings), load(EmulatorSettings), load(DbtSettings)
    configure(platform, component="dbt")
    clock, registry = SystemClock(), CollectorRegistry()

    def retried(error: BaseException, tries: int, delay: float) -> None:
        logger().warning("trying again", reason=describe(error), tries=tries, delay_seconds=round(delay, 3))

    retrier = Retrier(RetryPolicy(platform.retry_deadline_seconds), clock, retried)
    timeout = platform.request_timeout_seconds
    daily = Daily(
        platform=platform,
        own=own,
        warehouse=Warehouse(bigquery_client(platform, emulators), retrier, component="dbt", timeout_seconds=timeout),
        zone=RawZone(storage_client(platform, emulators), platform.bucket_name, retrier, timeout_seconds=timeout),
        clock=clock,
        metrics=DbtMetrics(registry),
        run_dbt=run_one,
    )
    try:
        return daily.run()
    except Exception as raised:
        raise told(raised) from raised
    finally:
        if own.metrics_file:
            write_to_textfile(own.metrics_file, registry)


def _parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="dbt_job",
        description="Runs dbt on the platform's project with the platform's settings.",
        usage="%(prog)s [--target local|gke] [--json] COMMAND [dbt arguments] [-- dbt arguments]",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--target", choices=("local", "gke"), help="target of profiles.yml (default: by environment)")
    parser.add_argument(
        "--json", action="store_true", help="print the summary as JSON on stdout, dbt's lines on stderr"
    )
    parser.add_argument("command", metavar="COMMAND", choices=_COMMANDS, help=", ".join(_COMMANDS))
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    rest = list(options.rest)
    if "--" in rest:
        rest.remove("--")
    if options.command == "docs" and not [word for word in rest if not word.startswith("-")]:
        rest.insert(0, "generate")
    # Also where dbt users write it. The last --target would win in dbt, but the environment must agree with it.
    for name in ("--target", "-t"):
        if name in rest[:-1]:
            at = rest.index(name)
            options.target = rest[at + 1]
            del rest[at : at + 2]
    return options, [options.command, *rest]
