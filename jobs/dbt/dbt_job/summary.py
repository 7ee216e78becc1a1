"""What a dbt invocation came to: counts, failures, and one verdict with its exit code. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any


class Verdict(Enum):
    """How an invocation ended, least severe first. Exit codes follow sysexits.h, as in `dataplatform.errors`."""

    OK = ("ok", 0)
    #: A test failed or a source is stale: the data must be looked at.
    DATA_WRONG = ("data is wrong", 65)
    #: A model or test cannot be parsed, compiled or executed, or a unit test failed: the project must be mended.
    CODE_WRONG = ("code is wrong", 70)
    #: The command line is not one of dbt's.
    USAGE = ("the command is wrong", 64)
    #: The warehouse did not answer, or not in time: later may help.
    WAREHOUSE_AWAY = ("the warehouse is away", 69)
    #: A setting, dataset, table or permission is missing.
    MISCONFIGURED = ("a setting, table or permission is missing", 78)
    INTERRUPTED = ("interrupted", 130)

    def __init__(self, words: str, exit_code: int) -> None:
        self.words = words
        self.exit_code = exit_code


_SEVERITY = {verdict: rank for rank, verdict in enumerate(Verdict)}

#: What messages of Google's clients and of dbt say, in lower case, and what it means. The first match counts.
_SIGNS: tuple[tuple[str, Verdict], ...] = (
    ("access denied", Verdict.MISCONFIGURED),
    ("permission denied", Verdict.MISCONFIGURED),
    ("default credentials", Verdict.MISCONFIGURED),
    ("not found: dataset", Verdict.MISCONFIGURED),
    ("not found: table", Verdict.MISCONFIGURED),
    ("not found: project", Verdict.MISCONFIGURED),
    ("env var required but not provided", Verdict.MISCONFIGURED),
    ("connection refused", Verdict.WAREHOUSE_AWAY),
    ("connection aborted", Verdict.WAREHOUSE_AWAY),
    ("connection reset", Verdict.WAREHOUSE_AWAY),
    ("max retries exceeded", Verdict.WAREHOUSE_AWAY),
    ("name resolution", Verdict.WAREHOUSE_AWAY),
    ("timed out", Verdict.WAREHOUSE_AWAY),
    ("timeout of", Verdict.WAREHOUSE_AWAY),
    ("deadline exceeded", Verdict.WAREHOUSE_AWAY),
    ("service unavailable", Verdict.WAREHOUSE_AWAY),
    ("backenderror", Verdict.WAREHOUSE_AWAY),
    ("ratelimitexceeded", Verdict.WAREHOUSE_AWAY),
    ("quotaexceeded", Verdict.WAREHOUSE_AWAY),
)

#: Statuses of dbt that are no failure. A skipped node follows from a failed one, which is listed itself.
_FINE = frozenset({"success", "pass", "warn", "skipped", "no-op", "reused"})

#: Resource types whose failure speaks of the data. A unit test brings its own data, so it speaks of the code.
_OF_THE_DATA = frozenset({("test", "fail"), ("source", "error")})


@dataclass(frozen=True, slots=True)
class NodeResult:
    """One node of an invocation, as dbt reports it."""

    name: str
    resource_type: str
    status: str
    message: str = ""
    seconds: float = 0.0
    #: Rows that a test found, where there are any.
    failures: int | None = None

    @property
    def verdict(self) -> Verdict:
        """Return what this node alone says."""
        if self.status in _FINE:
            return Verdict.OK
        if (self.resource_type, self.status) in _OF_THE_DATA:
            return Verdict.DATA_WRONG
        return verdict_of_message(self.message)


@dataclass(frozen=True, slots=True)
class Summary:
    """One invocation, ready for JSON by `as_json`."""

    command: str
    target: str
    verdict: Verdict
    seconds: float
    counts: Mapping[str, int] = field(default_factory=dict)
    failed: Sequence[NodeResult] = ()
    #: Tests and sources that only warn: nothing is stopped, but a person should look.
    warned: Sequence[NodeResult] = ()
    #: What ended the whole invocation, where something did.
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the summary as JSON takes it."""
        return {
            "command": self.command,
            "target": self.target,
            "verdict": self.verdict.name.lower(),
            "exit_code": self.verdict.exit_code,
            "seconds": round(self.seconds, 3),
            "counts": dict(self.counts),
            "failed": [asdict(node) for node in self.failed],
            "warned": [asdict(node) for node in self.warned],
            "error": self.error,
        }

    def sentence(self) -> str:
        """Return the outcome for a person, with the first failures by name."""
        done = ", ".join(f"{count} {status}" for status, count in self.counts.items())
        head = f"dbt {self.command}: {self.verdict.words}" + (f" ({done})" if done else "")
        if self.error:
            return f"{head}: {self.error}"
        names = [node.name for node in self.failed[:5]]
        more = [f"and {len(self.failed) - 5} more"] if len(self.failed) > 5 else []
        return f"{head}: {', '.join(names + more)}" if names else head


def verdict_of_message(message: str) -> Verdict:
    """Return what an error message says: the warehouse, the settings, or, without a sign of either, the code."""
    said = message.lower()
    return next((verdict for sign, verdict in _SIGNS if sign in said), Verdict.CODE_WRONG)


def summarise(nodes: Iterable[NodeResult], *, command: str, target: str, seconds: float, success: bool) -> Summary:
    """Return the summary of an invocation that ran. `seconds` is wall time; `success` is what dbt says.

    The verdict is that of the most severe node. dbt's own word counts where no node tells why it failed.
    """
    results = list(nodes)
    failed = [node for node in results if node.verdict is not Verdict.OK]
    verdict = max((node.verdict for node in failed), key=_SEVERITY.__getitem__, default=Verdict.OK)
    if verdict is Verdict.OK and not success:
        verdict = Verdict.CODE_WRONG
    counts = dict(sorted(Counter(node.status for node in results).items()))
    warned = tuple(node for node in results if node.status == "warn")
    return Summary(command, target, verdict, seconds, counts, tuple(failed), warned)
