"""Loads against a small BigQuery of the test's own: which job is started, refetched, awaited or given up."""

from collections.abc import Callable
from typing import Any

import pytest
from google.api_core import exceptions as google

from dataplatform import schemas
from dataplatform.clock import SystemClock
from dataplatform.errors import UnavailableError
from dataplatform.retry import Retrier, RetryPolicy
from dataplatform.warehouse import Warehouse

COLUMNS = schemas.PRODUCTS.columns
PASSING = google.ServiceUnavailable("backend", errors=[{"reason": "backendError"}])
FINAL = google.BadRequest("bad row", errors=[{"reason": "invalid"}])


class Job:
    """A job that ends in `error`, or fails to be awaited the first `lost_waits` times."""

    output_rows = 3

    def __init__(self, error: Exception | None = None, lost_waits: int = 0) -> None:
        self.error = error
        self.lost_waits = lost_waits
        self.waits = 0
        self.error_result: dict[str, str] | None = None

    def result(self, **_: Any) -> None:
        self.waits += 1
        if self.waits <= self.lost_waits:
            raise google.ServiceUnavailable("no answer to the poll")
        if self.error:
            self.error_result = {"reason": "told"}
            raise self.error


class BigQuery:
    """Starts jobs as `plan` says, by job id; each id runs once and is a conflict from then on."""

    def __init__(self, plan: Callable[[str], Job]) -> None:
        self.plan = plan
        self.jobs: dict[str, Job] = {}
        self.fetched: list[str] = []
        self.lost_answers = 0

    def load_table_from_uri(self, _: Any, __: str, *, job_id: str, **___: Any) -> Job:
        return self._start(job_id)

    def load_table_from_json(self, _: Any, __: str, *, job_id: str, **___: Any) -> Job:
        return self._start(job_id)

    def get_job(self, job_id: str, **_: Any) -> Job:
        self.fetched.append(job_id)
        return self.jobs[job_id]

    def _start(self, job_id: str) -> Job:
        if job_id in self.jobs:
            raise google.Conflict("exists")
        self.jobs[job_id] = self.plan(job_id)
        if self.lost_answers:
            self.lost_answers -= 1
            raise google.ServiceUnavailable("the answer was lost")
        return self.jobs[job_id]


def warehouse(client: BigQuery, deadline: float = 30) -> Warehouse:
    policy = RetryPolicy(deadline, initial_seconds=0.001, maximum_seconds=0.001)
    return Warehouse(client, Retrier(policy, SystemClock()), component="test", timeout_seconds=1)


async def load(client: BigQuery) -> tuple[str, int]:
    return await warehouse(client).load(["gs://b/o"], "p.d.t", COLUMNS, job_id="j", truncate=True)


async def test_a_load_is_one_job_of_the_given_id() -> None:
    client = BigQuery(lambda _: Job())

    assert await load(client) == ("j", 3)
    assert list(client.jobs) == ["j"]


async def test_a_load_that_is_repeated_awaits_the_job_there_is() -> None:
    client = BigQuery(lambda _: Job())
    await load(client)

    assert await load(client) == ("j", 3)
    assert (list(client.jobs), client.fetched, client.jobs["j"].waits) == (["j"], ["j"], 2)


async def test_a_lost_answer_does_not_start_a_second_job() -> None:
    client = BigQuery(lambda _: Job())
    client.lost_answers = 1

    assert await load(client) == ("j", 3)
    assert (list(client.jobs), client.fetched) == (["j"], ["j"])


async def test_a_wait_that_failed_goes_on_with_the_same_job() -> None:
    client = BigQuery(lambda _: Job(lost_waits=4))

    assert await load(client) == ("j", 3)
    assert list(client.jobs) == ["j"]


async def test_a_job_that_failed_for_good_raises_at_once() -> None:
    client = BigQuery(lambda _: Job(FINAL))

    with pytest.raises(google.BadRequest):
        await load(client)
    assert (list(client.jobs), client.jobs["j"].waits) == (["j"], 1)


async def test_a_failure_for_good_that_is_found_again_raises_at_once_too() -> None:
    client = BigQuery(lambda _: Job(FINAL))
    client.jobs["j"] = Job(FINAL)

    with pytest.raises(google.BadRequest):
        await load(client)
    assert client.fetched == ["j"]


async def test_a_job_that_failed_in_passing_is_followed_by_one_with_the_next_attempt_in_its_id() -> None:
    client = BigQuery(lambda job_id: Job(PASSING if job_id in {"j", "j_a2"} else None))

    assert await load(client) == ("j_a3", 3)
    assert (list(client.jobs), client.fetched) == (["j", "j_a2", "j_a3"], [])
    assert client.jobs["j"].waits == 1


async def test_a_load_is_given_up_after_five_jobs() -> None:
    client = BigQuery(lambda _: Job(PASSING))

    with pytest.raises(UnavailableError, match="load job j failed 5 times"):
        await load(client)
    assert list(client.jobs) == ["j", "j_a2", "j_a3", "j_a4", "j_a5"]


async def test_a_job_that_does_not_end_within_the_deadline_is_left_running_and_not_doubled() -> None:
    client = BigQuery(lambda _: Job(lost_waits=1_000_000))

    with pytest.raises(UnavailableError):
        await warehouse(client, deadline=0.05).load(["gs://b/o"], "p.d.t", COLUMNS, job_id="j", truncate=True)
    assert list(client.jobs) == ["j"]


async def test_rows_that_go_with_their_job_follow_the_same_rules() -> None:
    client = BigQuery(lambda job_id: Job(PASSING if job_id == "j" else None))

    assert await warehouse(client).load_rows([{"id": 1}], "p.d.t", COLUMNS, job_id="j") == ("j_a2", 3)
