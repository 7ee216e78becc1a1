"""The entries of quarantine: what the two tables say of them, put together by BigQuery.

An entry is an id. It has a row for each time it came to quarantine (copies of one message make copies of a row), and
an action for each step a person took. Both tables only grow; the state follows from their latest lines:

- no action, or a row that came back after the latest redrive: open
- a redrive that was started and not finished, and no row of its return: in doubt
- a finished redrive without a return: redriven
- discarded, and nothing later: discarded
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dataplatform.redrive import ATTEMPT
from dataplatform.schemas import QUARANTINE, QUARANTINE_ACTIONS
from dataplatform.settings import PlatformSettings
from dataplatform.warehouse import Warehouse
from eydp.redrive.selection import Selection

OPEN = ("open", "in doubt")
#: What the latest action of one attempt is worth in the order of what can follow what.
_RANKS = "CASE action WHEN 'discarded' THEN 3 WHEN 'redriven' THEN 2 ELSE 1 END"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its latest time in quarantine, and its state. `redrives` counts how often it was published again."""

    id: str
    quarantined_at: datetime
    first_quarantined_at: datetime
    entity: str
    stage: str
    reason: str
    detail: str
    redrives: int
    returned: int
    """After which redrive it came back last; 0 when it never did."""
    state: str
    encoded: int
    """Characters of the row's `original`; 0 when it is empty or only the object holds it."""
    raw_uri: str

    @property
    def next_attempt(self) -> int:
        """Return the number of its next redrive; one in doubt is done again under its own number."""
        return self.redrives if self.state == "in doubt" else max(self.redrives, self.returned) + 1


@dataclass(frozen=True, slots=True)
class Found:
    """The first entries of a selection; `total` counts all of them."""

    entries: tuple[Entry, ...]
    total: int


class Entries:
    """Asks `bq_raw.quarantine` and `bq_raw.quarantine_actions`."""

    def __init__(self, warehouse: Warehouse, platform: PlatformSettings) -> None:
        self._warehouse = warehouse
        self._rows = platform.raw_table(QUARANTINE.name)
        self._actions = platform.raw_table(QUARANTINE_ACTIONS.name)

    async def find(self, selection: Selection, *, limit: int, newest_first: bool) -> Found:
        """Return the entries of a selection, at most `limit` of them."""
        where, parameters = _conditions(selection)
        order = "DESC" if newest_first else "ASC"
        sql = f"""{self._states(selection)}
            SELECT *, COUNT(*) OVER () AS total FROM entries WHERE {where}
            ORDER BY quarantined_at {order}, id LIMIT {limit:d}"""  # noqa: S608 - names come from validated settings
        rows = await self._warehouse.query(sql, parameters, labels={"purpose": "quarantine"})
        total = int(rows[0].pop("total")) if rows else 0
        for row in rows[1:]:
            del row["total"]
        return Found(tuple(Entry(**row) for row in rows), total)

    async def summary(self, selection: Selection) -> list[dict[str, Any]]:
        """Return how many entries there are by entity, stage, reason and state, the most first."""
        where, parameters = _conditions(selection)
        sql = f"""{self._states(selection)}
            SELECT entity, stage, reason, state, COUNT(*) AS entries, MIN(quarantined_at) AS oldest,
              MAX(quarantined_at) AS newest
            FROM entries WHERE {where}
            GROUP BY entity, stage, reason, state
            ORDER BY entries DESC, entity, stage, reason, state"""  # noqa: S608 - names come from validated settings
        return await self._warehouse.query(sql, parameters, labels={"purpose": "quarantine"})

    async def rows(self, ids: Sequence[str], *, since: datetime | None = None) -> list[dict[str, Any]]:
        """Return all rows of the entries with their payloads, the latest first; `since` prunes older partitions."""
        pruned = "AND quarantined_at >= @since" if since else ""
        sql = f"""SELECT * FROM `{self._rows}` WHERE quarantine_id IN UNNEST(@ids) {pruned}
            ORDER BY quarantined_at DESC"""  # noqa: S608 - names come from validated settings
        parameters = _parameters(ids=tuple(ids), since=since)
        return await self._warehouse.query(sql, parameters, labels={"purpose": "quarantine"})

    async def actions(self, entry_id: str) -> list[dict[str, Any]]:
        """Return the actions of one entry, the oldest first."""
        sql = f"""SELECT DISTINCT action, attempt, run_id, message_id, acted_at, note FROM `{self._actions}`
            WHERE quarantine_id = @id
            ORDER BY acted_at, attempt, action DESC"""  # noqa: S608 - names come from validated settings
        return await self._warehouse.query(sql, _parameters(id=entry_id), labels={"purpose": "quarantine"})

    def _states(self, selection: Selection) -> str:
        """Return the query's beginning: `entries` with their states.

        An entry's latest row decides, so older partitions may be left out, younger ones may not.
        """
        pruned = " AND ".join(
            ["TRUE"]
            + ["quarantined_at >= @since"] * bool(selection.since)
            + ["quarantine_id IN UNNEST(@ids)"] * bool(selection.ids)
            + ["entity = @entity"] * bool(selection.entity)
        )
        return f"""
            WITH came AS (
              SELECT quarantine_id, entity, stage, reason, IFNULL(detail, '') AS detail, quarantined_at, raw_uri,
                LENGTH(original) AS encoded,
                IFNULL(SAFE_CAST(REGEXP_EXTRACT(JSON_VALUE(attributes, '$.{ATTEMPT}'), r'^[0-9]{{1,6}}$') AS INT64), 0)
                  AS returned
              FROM `{self._rows}` WHERE {pruned}
            ), latest AS (
              SELECT *, MIN(quarantined_at) OVER (PARTITION BY quarantine_id) AS first_quarantined_at
              FROM came WHERE TRUE
              QUALIFY ROW_NUMBER() OVER (PARTITION BY quarantine_id ORDER BY returned DESC, quarantined_at DESC) = 1
            ), acted AS (
              SELECT quarantine_id, MAX(attempt * 4 + {_RANKS}) AS last,
                MAX(IF(action = 'discarded', 0, attempt)) AS redrives
              FROM `{self._actions}` GROUP BY quarantine_id
            ), entries AS (
              SELECT quarantine_id AS id, quarantined_at, first_quarantined_at, entity, stage, reason, detail,
                IFNULL(redrives, 0) AS redrives, returned, encoded, raw_uri,
                CASE
                  WHEN last IS NULL THEN 'open'
                  WHEN MOD(last, 4) = 3 AND DIV(last, 4) >= returned THEN 'discarded'
                  WHEN returned >= DIV(last, 4) THEN 'open'
                  WHEN MOD(last, 4) = 2 THEN 'redriven'
                  ELSE 'in doubt'
                END AS state
              FROM latest LEFT JOIN acted USING (quarantine_id)
            )"""  # noqa: S608 - names come from validated settings


def _conditions(selection: Selection) -> tuple[str, list[Any]]:
    """Return the condition on `entries` and the parameters of the whole query."""
    states = {"open": OPEN, "redriven": ("redriven",), "discarded": ("discarded",), "all": ()}[selection.state]
    where = (
        ["TRUE"]
        + ["reason = @reason"] * bool(selection.reason)
        + ["quarantined_at < @before"] * bool(selection.before)
        + ["state IN UNNEST(@states)"] * bool(states)
    )
    return " AND ".join(where), _parameters(
        ids=selection.ids,
        entity=selection.entity,
        reason=selection.reason,
        since=selection.since,
        before=selection.before,
        states=states,
    )


def _parameters(**given: str | datetime | Sequence[str] | None) -> list[Any]:
    """Return the query parameters of the values that are there."""
    from google.cloud import bigquery

    made: list[Any] = []
    for name, value in given.items():
        if not value:
            continue
        if isinstance(value, str):
            made.append(bigquery.ScalarQueryParameter(name, "STRING", value))
        elif isinstance(value, datetime):
            made.append(bigquery.ScalarQueryParameter(name, "TIMESTAMP", value))
        else:
            made.append(bigquery.ArrayQueryParameter(name, "STRING", list(value)))
    return made
