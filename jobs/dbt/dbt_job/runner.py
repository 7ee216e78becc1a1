"""dbt in this process, through its programmatic runner: `run_dbt`."""

import contextlib
import os
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from requests import RequestException

from dataplatform.clients import bigquery_client, http_address
from dataplatform.settings import EmulatorSettings, PlatformSettings, load
from dbt_job.audit import marts_of, parse_options, refreshes, selects, under_audit
from dbt_job.publish import Publisher
from dbt_job.settings import DbtSettings, choose_target, dbt_environment
from dbt_job.summary import NodeResult, Summary, Verdict, summarise, verdict_of_message
from dbt_job.watch import Watch, unreachable

#: dbt commands that never talk to the warehouse.
_OFFLINE = frozenset({"parse", "list", "ls", "deps"})

#: dbt commands that both write and test.
_AUDITED = frozenset({"build", "retry"})


@dataclass(frozen=True, slots=True)
class DbtOutcome:
    """What an invocation came to, and where its artifacts are (manifest.json, run_results.json, logs/dbt.log)."""

    summary: Summary
    target_path: Path

    @property
    def exit_code(self) -> int:
        """Return 0 ok, 65 data is wrong, 70 code is wrong, 69 warehouse is away, 78 settings, 64 usage."""
        return self.summary.verdict.exit_code


def run_dbt(args: Sequence[str], *, target: str | None = None, quiet_stdout: bool = False) -> DbtOutcome:
    """Run one dbt command, such as `["build", "--select", "marts"]`, and return its outcome.

    dbt prints to stdout as it does on the command line; to stderr with `quiet_stdout`. Settings come from the
    environment and `.env`; `target` overrides the configured one. The environment and the current folder are
    those of before when this returns. One invocation at a time in one process: dbt keeps global state.

    Raises:
        ConfigurationError: when a setting is missing or wrong. Everything else is in the outcome.
    """
    platform, emulators, own = load(PlatformSettings), load(EmulatorSettings), load(DbtSettings)
    chosen = choose_target(own, emulators, target)
    variables = dbt_environment(platform, emulators, own, chosen)
    target_path = own.resolved_target_path()
    command = _command_words(args)
    started = time.monotonic()

    def ended(verdict: Verdict, error: str) -> DbtOutcome:
        return DbtOutcome(Summary(command, chosen, verdict, time.monotonic() - started, error=error), target_path)

    watch: Watch | None = None
    if chosen == "local" and command not in _OFFLINE:
        address = http_address(emulators.bigquery_emulator_host)
        if trouble := unreachable(address):
            return ended(Verdict.WAREHOUSE_AWAY, trouble)
        watch = Watch(address)
    if not sys.stdout.isatty():
        variables["DBT_USE_COLORS"] = "false"
    if command == "build" and "DBT_EXCLUDE_RESOURCE_TYPES" not in os.environ:
        # They bring their own rows and speak of the code: `test` runs them, before the code is released.
        variables["DBT_EXCLUDE_RESOURCE_TYPES"] = "unit_test"
    with _environment(variables), contextlib.chdir(Path.cwd()), warnings.catch_warnings():
        # agate speaks of catalog columns that BigQuery's catalog does not have.
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"agate\.")
        with (
            contextlib.redirect_stdout(sys.stderr) if quiet_stdout else contextlib.nullcontext(),
            watch.running() if watch else contextlib.nullcontext(),
        ):
            publisher = _publisher(platform, emulators) if own.audit and command in _AUDITED else None
            try:
                result = _audited(list(args), publisher) if publisher else _invoke(list(args))
            except (GoogleAPIError, GoogleAuthError, RequestException) as error:
                return ended(*_of_exception(error))
    if watch and watch.lost:
        return ended(Verdict.WAREHOUSE_AWAY, watch.lost)
    if result.exception is not None:
        return ended(*_of_exception(result.exception))
    if result.result is False:
        return ended(Verdict.MISCONFIGURED, "dbt debug found what it says above.")
    summary = summarise(
        _node_results(result.result),
        command=command,
        target=chosen,
        seconds=time.monotonic() - started,
        success=result.success,
    )
    return DbtOutcome(summary, target_path)


def _command_words(args: Sequence[str]) -> str:
    """Return the words that name the command: `build`, `docs generate`, `run-operation list_models`."""
    two = bool(args) and args[0] in {"docs", "source", "run-operation"}
    words = [word for word in args[: 2 if two else 1] if not word.startswith("-")]
    return " ".join(words)


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for as long as the context lasts."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _invoke(args: list[str], manifest: Any = None) -> Any:
    # dbt takes two seconds to import; the help text should not.
    from dbt.cli.main import dbtRunner

    return dbtRunner(manifest=manifest).invoke(args)


def _publisher(platform: PlatformSettings, emulators: EmulatorSettings) -> Publisher:
    return Publisher(
        bigquery_client(platform, emulators),
        f"{platform.project}.{platform.dataset_analytics}",
        timeout_seconds=platform.request_timeout_seconds,
    )


def _audited(args: list[str], publisher: Publisher) -> Any:
    """Build marts under their audited names and publish them when all went well; a retry goes on where one failed."""
    parsed = _invoke(["parse", *parse_options(args)])
    if not parsed.success:
        return parsed
    marts = marts_of(parsed.result)
    if args[0] != "retry":
        refreshed, selected = refreshes(args), selects(args)
        publisher.stage(marts, kept=lambda mart: selected or (mart.incremental and not refreshed))
    result = _invoke(args, under_audit(parsed.result))
    if result.success:
        published = publisher.publish(marts)
        print(f"published: {', '.join(published) or 'nothing'}", flush=True)  # noqa: T201 - among dbt's own lines
    return result


def _of_exception(error: BaseException) -> tuple[Verdict, str]:
    from dbt.cli.exceptions import DbtUsageException

    said = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, KeyboardInterrupt):
        return Verdict.INTERRUPTED, "stopped before it was done."
    if isinstance(error, DbtUsageException):
        return Verdict.USAGE, said
    return verdict_of_message(said), said


def _node_results(result: Any) -> Iterator[NodeResult]:
    """Yield what dbt reports of each node; nothing for commands that have no nodes."""
    for each in getattr(result, "results", None) or ():
        node = getattr(each, "node", None)
        unique_id = str(getattr(node, "unique_id", None) or getattr(each, "unique_id", ""))
        yield NodeResult(
            name=str(getattr(node, "name", None) or unique_id.rpartition(".")[2]),
            resource_type=str(getattr(node, "resource_type", None) or unique_id.partition(".")[0]),
            status=str(each.status),
            message=str(getattr(each, "message", None) or ""),
            seconds=round(float(getattr(each, "execution_time", 0.0)), 3),
            failures=getattr(each, "failures", None),
        )
