"""Google's own command line tools, unmodified, against the stack; left out where they are not installed."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from localcloud.state import StackState

SECONDS = 60.0

needs_bq = pytest.mark.skipif(
    shutil.which("bq") is None, reason="bq is not installed; it comes with the Google Cloud CLI"
)
needs_gcloud = pytest.mark.skipif(
    shutil.which("gcloud") is None, reason="gcloud is not installed; it comes with the Google Cloud CLI"
)


def tool(variables: dict[str, str], home: Path, *command: str) -> str:
    """Run a tool as a user without an account or configuration would, and return what it prints."""
    done = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(home), **variables},
        timeout=SECONDS,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.long
@needs_bq
def test_bq_needs_an_address_and_any_token(stack: StackState, tmp_path: Path) -> None:
    at = ("--api", stack.endpoints["bigquery"], "--project_id", stack.project)
    token = {"CLOUDSDK_AUTH_ACCESS_TOKEN": "local"}

    rows = tool(
        token, tmp_path, "bq", *at, "--format=json", "query", "--use_legacy_sql=false", "SELECT 1 AS one, 'a' AS a"
    )

    assert json.loads(rows) == [{"one": "1", "a": "a"}]


@needs_bq
def test_bq_works_with_the_variables_of_the_stack_alone(stack: StackState, tmp_path: Path) -> None:
    def bq(*arguments: str) -> str:
        return tool(stack.tools, tmp_path, "bq", "--format=json", *arguments)

    script = "CREATE SCHEMA tool_bq; CREATE TABLE tool_bq.t AS SELECT 1 AS id; SELECT id FROM tool_bq.t"

    # One answer for each statement: the two that create have no rows.
    assert json.loads(bq("query", script))[-1] == [{"id": "1"}]
    assert [found["tableReference"]["tableId"] for found in json.loads(bq("ls", "tool_bq"))] == ["t"]
    assert json.loads(bq("show", "tool_bq.t"))["numRows"] == "1"


@needs_gcloud
def test_gcloud_sees_topics_and_buckets(stack: StackState, tmp_path: Path) -> None:
    tool(stack.tools, tmp_path, "gcloud", "pubsub", "topics", "create", "tool-topic")
    topics = tool(stack.tools, tmp_path, "gcloud", "pubsub", "topics", "list", "--format=value(name)")

    assert f"projects/{stack.project}/topics/tool-topic" in topics.split()
