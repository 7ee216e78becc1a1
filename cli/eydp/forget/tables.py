"""The rows in which a user is: deleted in the raw tables, made anonymous in snapshots and marts."""

import asyncio
import base64
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.api_core.exceptions import NotFound

from dataplatform.retry import Retrier
from dataplatform.schemas import QUARANTINE, USERS
from dataplatform.settings import PlatformSettings
from eydp.forget.person import Person
from eydp.replay.jobs import Jobs

#: What may tell of a person in a table that has a `user_key`, whoever made the table.
_PERSONAL = frozenset(
    {column.name for column in USERS.columns if column.description.startswith("Personal data")}
    | {"city", "zipcode", "email_sha256", "payload"}
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of quarantine that is the user's."""

    quarantine_id: str
    raw_uri: str
    quarantined_at: datetime


class Tables:
    """The tables of one platform. All statements may be repeated."""

    def __init__(self, client: Any, jobs: Jobs, retrier: Retrier, platform: PlatformSettings, run_id: str) -> None:
        self._client = client
        self._jobs = jobs
        self._retry = retrier
        self._platform = platform
        self._key = f"forget_{platform.dataset_raw}_{run_id}"
        self.job_ids: list[str] = []

    async def raw_datasets(self) -> list[str]:
        """Return the raw dataset and those that a rebuild left beside it, as `project.dataset`."""
        raw = self._platform.dataset_raw
        found = await self._listed("listing datasets", lambda: self._client.list_datasets(timeout=30, retry=None))
        beside = sorted(each.dataset_id for each in found if each.dataset_id.startswith(f"{raw}_rebuild_"))
        return [f"{self._platform.project}.{name}" for name in (raw, *beside)]

    async def entries(self, dataset: str, person: Person) -> list[Entry]:
        """Return the rows of quarantine that are the user's."""
        rows = await self._jobs.warehouse.query(
            f"SELECT quarantine_id, source, original, raw_uri, quarantined_at FROM `{dataset}.{QUARANTINE.name}` "  # noqa: S608 - names come from validated settings
            "WHERE entity = 'users'"
        )
        return [
            Entry(row["quarantine_id"], row["raw_uri"], row["quarantined_at"])
            for row in rows
            if person.has_quarantined(row["quarantine_id"], row["source"], base64.b64decode(row["original"]))
        ]

    async def forget_user(self, dataset: str, person: Person) -> int:
        """Delete the user's row; return how many there were."""
        from google.cloud.bigquery import ScalarQueryParameter

        return await self._statement(
            f"DELETE FROM `{dataset}.{USERS.name}` WHERE source = @source AND id = @id",  # noqa: S608 - as above
            ScalarQueryParameter("source", "STRING", person.source),
            ScalarQueryParameter("id", "INT64", person.id),
        )

    async def forget_entries(self, dataset: str, ids: Collection[str], before: datetime) -> int:
        """Delete rows of quarantine that came before a moment; return how many there were."""
        from google.cloud.bigquery import ArrayQueryParameter, ScalarQueryParameter

        return await self._statement(
            f"DELETE FROM `{dataset}.{QUARANTINE.name}` WHERE entity = 'users' AND quarantined_at < @before "  # noqa: S608 - as above
            "AND quarantine_id IN UNNEST(@ids)",
            ScalarQueryParameter("before", "TIMESTAMP", before),
            ArrayQueryParameter("ids", "STRING", sorted(ids)),
        )

    async def move(self, table: str, uris: Mapping[str, str]) -> int:
        """Let the rows that are left name the objects that hold them now; return how many there were."""
        from google.cloud.bigquery import ArrayQueryParameter

        return await self._statement(
            f"UPDATE `{table}` SET raw_uri = @new[OFFSET((SELECT at FROM UNNEST(@old) AS name WITH OFFSET AS at "  # noqa: S608 - as above
            "WHERE name = raw_uri))] WHERE raw_uri IN UNNEST(@old)",
            ArrayQueryParameter("old", "STRING", list(uris)),
            ArrayQueryParameter("new", "STRING", list(uris.values())),
        )

    async def drop_staging(self) -> None:
        """Drop the staging tables that replays which died have left: they may hold quarantined records."""
        name = f"{self._platform.project}.{self._platform.dataset_raw}"
        for table in await self._tables(name):
            if table.table_id.startswith("_staging_"):
                await self._jobs.drop_table(f"{name}.{table.table_id}")

    async def make_anonymous(self, person: Person) -> dict[str, int]:
        """Empty what tells of the user in snapshots and marts, their keys stay; return the rows of each table."""
        from google.cloud.bigquery import ScalarQueryParameter

        changed = {}
        dataset = f"{self._platform.project}.{self._platform.dataset_analytics}"
        for table in await self._tables(dataset):
            name = f"{dataset}.{table.table_id}"
            described = await self._jobs.described(name) if table.table_type == "TABLE" else None
            columns = {field["name"] for field in described["schema"]["fields"]} if described else set()
            telling = sorted(columns & _PERSONAL)
            if "user_key" not in columns or not telling:
                continue
            changed[table.table_id] = await self._statement(
                f"UPDATE `{name}` SET {', '.join(f'{column} = NULL' for column in telling)} WHERE user_key = @key "  # noqa: S608 - as above
                f"AND ({' OR '.join(f'{column} IS NOT NULL' for column in telling)})",
                ScalarQueryParameter("key", "STRING", person.key),
            )
        return {name: count for name, count in changed.items() if count}

    async def _tables(self, dataset: str) -> list[Any]:
        return await self._listed(
            f"listing {dataset}", lambda: self._client.list_tables(dataset, timeout=30, retry=None)
        )

    async def _listed(self, what: str, listing: Any) -> list[Any]:
        def run() -> list[Any]:
            try:
                return list(listing())
            except NotFound:
                return []

        return await self._retry(what, lambda: asyncio.to_thread(run))

    async def _statement(self, sql: str, *parameters: Any) -> int:
        self.job_ids.append(f"{self._key}_{len(self.job_ids) + 1}")
        return await self._jobs.statement(sql, parameters, job_id=self.job_ids[-1])


def new_addresses(moved: Mapping[str, Any], uri: Any) -> Iterator[tuple[str, str]]:
    """Yield the old and the new address of each object of which something is left."""
    for name, move in moved.items():
        if move.name is not None:
            yield uri(name), uri(move.name)
