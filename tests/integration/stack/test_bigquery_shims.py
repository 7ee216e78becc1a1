"""What dbt and the loads need of BigQuery and local-bigquery alone does otherwise; each test fails without its shim."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date
from urllib.request import urlopen

import pytest
from google.api_core.exceptions import BadRequest, Conflict
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from localcloud.bigquery.shims import KNOWN_VERSION, version_warning
from localcloud.services import import_path
from localcloud.state import StackState

SECONDS = 30.0


@pytest.fixture(scope="module")
def client(stack: StackState) -> Iterator[bigquery.Client]:
    options = {"api_endpoint": stack.endpoints["bigquery"]}
    with closing(
        bigquery.Client(project=stack.project, credentials=AnonymousCredentials(), client_options=options)
    ) as client:
        yield client


@pytest.fixture
def dataset(client: bigquery.Client) -> Iterator[str]:
    name = f"shims_{uuid.uuid4().hex}"
    client.create_dataset(name)
    yield name
    client.delete_dataset(name, delete_contents=True)


@pytest.fixture
def days(client: bigquery.Client, dataset: str) -> str:
    """A table with a row on each of two days, partitioned by day."""
    statement = f"""
        CREATE TABLE {dataset}.days (day DATE, text STRING) PARTITION BY day;
        INSERT INTO {dataset}.days VALUES ('2026-11-23', 'old'), ('2026-11-24', 'old');
    """  # noqa: S608 - made up here
    client.query_and_wait(statement)
    return f"{dataset}.days"


def rows(client: bigquery.Client, table: str) -> list[tuple[date, str]]:
    found = client.query_and_wait(f"SELECT day, text FROM {table} ORDER BY day, text")  # noqa: S608 - made up here
    return [(row["day"], row["text"]) for row in found]


def load(client: bigquery.Client, table: str, *loaded: dict[str, str], truncate: bool = True) -> None:
    config = bigquery.LoadJobConfig(
        source_format="NEWLINE_DELIMITED_JSON",
        write_disposition="WRITE_TRUNCATE" if truncate else "WRITE_APPEND",
        schema=[bigquery.SchemaField("day", "DATE"), bigquery.SchemaField("text", "STRING")],
        time_partitioning=bigquery.TimePartitioning(field="day"),
    )
    client.load_table_from_json(loaded, table, job_config=config, timeout=SECONDS).result(timeout=SECONDS)


def test_a_table_made_by_a_query_is_its_jobs_destination(client: bigquery.Client, dataset: str) -> None:
    job = client.query(f"CREATE TABLE {dataset}.made AS SELECT 1 AS n")

    job.result(timeout=SECONDS)

    assert job.destination is not None
    assert (job.destination.dataset_id, job.destination.table_id) == (dataset, "made")
    again = client.get_job(job.job_id)
    assert again.destination == job.destination


def test_a_query_that_makes_a_table_answers_without_its_rows(client: bigquery.Client, dataset: str) -> None:
    statement = f"CREATE TABLE {dataset}.made AS SELECT n FROM UNNEST(GENERATE_ARRAY(1, 1000)) AS n"  # noqa: S608 - made up here

    answer = client.query_and_wait(statement)

    assert list(answer) == []
    assert client.get_table(f"{dataset}.made").num_rows == 1000


def test_a_load_with_a_partition_replaces_that_partition_alone(client: bigquery.Client, days: str) -> None:
    load(client, f"{days}$20261124", {"day": "2026-11-24", "text": "new"}, {"day": "2026-11-24", "text": "two"})

    assert rows(client, days) == [
        (date(2026, 11, 23), "old"),
        (date(2026, 11, 24), "new"),
        (date(2026, 11, 24), "two"),
    ]
    dataset = days.partition(".")[0]
    assert [table.table_id for table in client.list_tables(dataset)] == ["days"]


def test_a_load_with_a_partition_can_append_to_it(client: bigquery.Client, days: str) -> None:
    load(client, f"{days}$20261124", {"day": "2026-11-24", "text": "new"}, truncate=False)

    assert [text for _, text in rows(client, days)] == ["old", "new", "old"]


def test_a_load_with_a_partition_makes_the_table_where_there_is_none(client: bigquery.Client, dataset: str) -> None:
    load(client, f"{dataset}.fresh$20261124", {"day": "2026-11-24", "text": "new"})

    assert rows(client, f"{dataset}.fresh") == [(date(2026, 11, 24), "new")]
    with pytest.raises(BadRequest, match="different partitions"):
        load(client, f"{dataset}.none$20261124", {"day": "2026-11-23", "text": "astray"})
    assert [table.table_id for table in client.list_tables(dataset)] == ["fresh"]


@pytest.mark.parametrize("truncate", [True, False])
def test_rows_of_another_partition_fail_the_load_and_change_nothing(
    client: bigquery.Client, days: str, truncate: bool
) -> None:
    before = rows(client, days)

    with pytest.raises(BadRequest, match="different partitions"):
        load(client, f"{days}$20261124", {"day": "2026-11-23", "text": "astray"}, truncate=truncate)

    assert rows(client, days) == before


@pytest.mark.parametrize("partition", ["202611", "2026112410", "20261399"])
def test_a_partition_that_does_not_fit_the_table_is_refused(client: bigquery.Client, days: str, partition: str) -> None:
    before = rows(client, days)

    with pytest.raises(BadRequest, match=r"not partitioned by|Invalid partition"):
        load(client, f"{days}${partition}", {"day": "2026-11-24", "text": "new"})

    assert rows(client, days) == before


def test_a_script_takes_its_variables_from_a_struct(client: bigquery.Client, days: str) -> None:
    # As dbt's insert_overwrite writes it, with one variable in parentheses; and with two.
    script = f"""
        DECLARE parts ARRAY<DATE>;
        DECLARE least, most DATE;
        SET (parts) = (SELECT AS STRUCT ARRAY_AGG(DISTINCT day ORDER BY day) FROM {days});
        SET (least, most) = (SELECT AS STRUCT MIN(day), MAX(day) FROM {days});
        SELECT ARRAY_LENGTH(parts) AS parts, least, most;
    """  # noqa: S608 - made up here

    found = client.query_and_wait(script)

    assert [tuple(row) for row in found] == [(2, date(2026, 11, 23), date(2026, 11, 24))]


def test_the_statements_of_a_script_are_told(client: bigquery.Client, dataset: str) -> None:
    # `bq query` shows what is told to be a statement, and asks for one more page as long as it gets any token.
    job = client.query(f"CREATE TABLE {dataset}.made AS SELECT 1 AS n; SELECT n + 1 AS n FROM {dataset}.made")  # noqa: S608 - made up here
    job.result(timeout=SECONDS)

    children = list(client.list_jobs(parent_job=job.job_id))

    kinds = {child.statement_type: child.script_statistics.evaluation_kind for child in children}
    assert kinds == {"CREATE_TABLE_AS_SELECT": "STATEMENT", "SELECT": "STATEMENT"}
    [select] = [child for child in children if child.statement_type == "SELECT"]
    assert [row["n"] for row in select.result(timeout=SECONDS)] == [2]


def test_the_last_page_of_jobs_has_no_token(client: bigquery.Client, stack: StackState) -> None:
    client.query_and_wait("SELECT 1")
    url = f"{stack.endpoints['bigquery']}/bigquery/v2/projects/{stack.project}/jobs?maxResults="

    with urlopen(f"{url}0", timeout=SECONDS) as page:  # noqa: S310 - the stack's own address
        assert json.load(page)["nextPageToken"] == "0"
    with urlopen(f"{url}10000", timeout=SECONDS) as page:  # noqa: S310 - likewise
        assert "nextPageToken" not in json.load(page)


def test_of_many_that_submit_one_job_at_once_one_does_and_the_others_are_told(client: bigquery.Client) -> None:
    def submit(job_id: str) -> bool:
        try:
            client.query("SELECT 1", job_id=job_id, retry=None, job_retry=None, timeout=SECONDS)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        for _ in range(10):
            assert sorted(pool.map(submit, [f"race_{uuid.uuid4().hex}"] * 8)) == [False] * 7 + [True]


def test_an_unknown_version_of_the_emulator_is_told_loudly() -> None:
    assert version_warning(KNOWN_VERSION) is None
    code = "import localcloud.bigquery.shims as shims; shims.KNOWN_VERSION = '0.0.1'; shims.apply()"

    told = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": import_path()},
        timeout=SECONDS,
    )

    assert told.stderr.startswith(f"WARNING: local-bigquery {KNOWN_VERSION} is installed")
    assert "0.0.1" in told.stderr
