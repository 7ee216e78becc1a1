"""A person's query: asked once, and no more rows fetched than are shown."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """The first rows of a result; `total` counts all of them, `changed` what a DML statement did."""

    columns: tuple[str, ...]
    rows: list[dict[str, Any]]
    total: int
    changed: int | None = None


def ask(client: Any, query: str, *, max_rows: int, timeout_seconds: float) -> Answer:
    """Run one query with a blocking `google.cloud.bigquery.Client`.

    It is not tried again: it may be an INSERT, and a person sees the error.

    Raises:
        google.api_core.exceptions.GoogleAPICallError: the query is wrong, forbidden, or the service is away.
    """
    from google.cloud import bigquery

    config = bigquery.QueryJobConfig(use_legacy_sql=False, labels={"component": "sql"})
    found = client.query_and_wait(
        query, job_config=config, max_results=max_rows, api_timeout=timeout_seconds, retry=None, job_retry=None
    )
    rows = [dict(row) for row in found]
    changed = None if found.schema else found.num_dml_affected_rows
    total = max(int(found.total_rows or 0), len(rows))
    return Answer(tuple(field.name for field in found.schema), rows, total, changed)
