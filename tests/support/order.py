"""The order of test files: those that take longest begin first, so that no worker is left alone with one at the end.

One worker runs all tests of a file, and a run takes as long as the worker that ends last. Files that build the same
marts go to one worker, as a build is kept for a session and costs more than any test of it.
"""

from pathlib import PurePosixPath

from xdist.scheduler import LoadFileScheduling

_DBT = "tests/integration/dbt/"
#: Files whose tests look at one build of the real data.
ONE_BUILD = frozenset(
    f"{_DBT}test_{name}.py" for name in ("outcomes", "audit", "golden_marts", "marts_page", "project_rules")
)

#: Seconds of a file on an idle machine, roughly; files that are not named take less. Only their order matters.
SECONDS = {
    "tests/e2e/test_shop_to_marts.py": 60,
    "tests/faults/test_kill.py": 60,
    "tests/integration/dbt/test_outcomes.py": 90,
    "tests/integration/dbt/test_audit.py": 90,
    "tests/integration/dbt/test_golden_marts.py": 90,
    "tests/integration/dbt/test_histories.py": 60,
    "tests/integration/batch/test_runs.py": 50,
    "tests/integration/cli/test_commands.py": 50,
    "tests/integration/cli/test_demo.py": 50,
    "tests/integration/cli/test_provision.py": 45,
    "tests/integration/cli/test_quarantine.py": 45,
    "tests/integration/poller/test_program.py": 40,
    "tests/integration/stack/test_lifecycle.py": 40,
    "tests/integration/batch/test_program.py": 35,
    "tests/integration/cli/test_replay.py": 35,
    "tests/integration/poller/test_pushes.py": 30,
    "tests/integration/cli/test_rebuild.py": 30,
    "tests/integration/cli/test_mistakes.py": 35,
    "tests/integration/consumer/test_consumer.py": 35,
    "tests/integration/cli/test_dlq.py": 25,
    "tests/integration/consumer/test_ordering.py": 25,
    "tests/chart/test_commands.py": 30,
    "tests/integration/push/test_program.py": 20,
    "tests/integration/cli/test_compact.py": 20,
    "tests/faults/poller/test_kill_steps.py": 15,
    "tests/faults/test_kill_matrix.py": 20,
    "tests/faults/test_outages.py": 20,
    "tests/faults/test_rolling.py": 15,
    "tests/integration/pubsub_contract/test_high_level.py": 15,
    "tests/integration/pubsub_contract/test_pull.py": 15,
    "tests/integration/pubsub_contract/test_streaming_pull.py": 15,
    "tests/integration/stack/test_tools.py": 15,
    "tests/faults/test_bad_input.py": 10,
}


def seconds_of(nodeid: str) -> int:
    """Return the weight of the file that a test is in."""
    return SECONDS.get(str(PurePosixPath(nodeid.split("::", maxsplit=1)[0])), 0)


class Scheduling(LoadFileScheduling):  # type: ignore[misc]  # xdist has no type information here
    """Gives each worker files, and those of one build as if they were one file."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return _DBT if file in ONE_BUILD else file
