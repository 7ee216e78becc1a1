"""The tables that a replay mends, and the statements that do it. Pure.

A row's key tells what it is a row of; its order tells which of two rows with one key stays. Only INSERT and a DELETE
of old rows are used: BigQuery refuses to change rows that were streamed within the last half an hour.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dataplatform.redrive import ATTEMPT
from dataplatform.schemas import CART_EVENTS, QUARANTINE, Column, Table
from eydp.replay.spans import Spans


@dataclass(frozen=True, slots=True)
class Target:
    """One table. `taken` is when a row was taken in; in SQL, `{a}` stands for the alias of a table."""

    table: Table
    key: str
    taken: str
    order: tuple[str, ...]
    """Of the rows of one key, the first in this order stays; the columns are never null."""
    first: tuple[str, ...]
    """Of the lines of one key, the first in this order becomes the row."""
    around: int = 0
    """Days around a line's own in which its row may be."""

    @property
    def partition(self) -> str:
        """Return the column that the table is partitioned by."""
        if self.table.partition_by is None:
            raise ValueError(f"{self.table.name} is not partitioned")
        return self.table.partition_by

    def key_of(self, alias: str) -> str:
        """Return the SQL of a row's key."""
        return self.key.replace("{a}", alias)


EVENTS = Target(
    CART_EVENTS,
    key="{a}.event_id",
    taken="ingested_at",
    order=("ingested_at", "message_id", "raw_uri"),
    first=("published_at", "message_id", "raw_uri"),
)
#: An entry has a row for each time it came: after each redrive, and for what is no message, in each object. The batch
#: loader counts the rows of its objects, so one of them must not go because another object has the record too.
QUARANTINED = Target(
    QUARANTINE,
    key=(
        "CONCAT({a}.quarantine_id, '/', IFNULL(REGEXP_EXTRACT(JSON_VALUE({a}.attributes, '$."
        + ATTEMPT
        + "'), r'^[0-9]{1,6}$'), '0'), '/', "
        "IF({a}.message_id IS NULL, {a}.raw_uri, ''))"
    ),
    taken="quarantined_at",
    order=("quarantined_at", "raw_uri"),
    first=("quarantined_at", "raw_uri"),
    around=1,
)
TARGETS = {"carts_events": EVENTS, "quarantine": QUARANTINED}


def compare(target: Target, live: str, staging: str, spans: Spans) -> str:
    """Return the query for `found`, `missing` (keys) and `doubled` (rows too many)."""
    return f"""
        WITH staged AS (SELECT {target.key_of("s")} AS k FROM `{staging}` AS s GROUP BY k),
        held AS (
          SELECT {target.key_of("t")} AS k, COUNT(*) AS n FROM `{live}` AS t
          WHERE {spans.condition(f"t.{target.partition}")} GROUP BY k
        )
        SELECT
          (SELECT COUNT(*) FROM staged) AS found,
          (SELECT COUNT(*) FROM staged LEFT JOIN held ON staged.k = held.k WHERE held.k IS NULL) AS missing,
          (SELECT IFNULL(SUM(n - 1), 0) FROM held) AS doubled"""  # noqa: S608 - names come from validated settings


def insert(target: Target, live: str, staging: str, columns: Iterable[Column], spans: Spans) -> str:
    """Return the statement that appends the rows whose keys the table does not hold."""
    names = ", ".join(f"`{column.name}`" for column in columns)
    chosen = ", ".join(f"s.`{column.name}`" for column in columns)
    return f"""
        INSERT INTO `{live}` ({names})
        SELECT {chosen} FROM `{staging}` AS s
        WHERE NOT EXISTS (
          SELECT 1 FROM `{live}` AS t
          WHERE {target.key_of("t")} = {target.key_of("s")} AND {spans.condition(f"t.{target.partition}")}
        )
        QUALIFY ROW_NUMBER() OVER (PARTITION BY {target.key_of("s")} ORDER BY {_by(target.first, "s")}) = 1"""  # noqa: S608 - names come from validated settings


def remove(target: Target, live: str, spans: Spans) -> str:
    """Return the statement that removes rows taken before @before that stand behind another one of their key.

    Two rows that are alike in all columns of the order are both left: nothing tells them apart.
    """
    return f"""
        DELETE FROM `{live}` AS d
        WHERE {spans.condition(f"d.{target.partition}")} AND d.{target.taken} < @before AND EXISTS (
          SELECT 1 FROM `{live}` AS e
          WHERE {target.key_of("e")} = {target.key_of("d")} AND {spans.condition(f"e.{target.partition}")}
            AND ({_before(target.order)})
        )"""  # noqa: S608 - names come from validated settings


def _by(columns: Sequence[str], alias: str) -> str:
    return ", ".join(f"{alias}.{column}" for column in columns)


def _before(columns: Sequence[str]) -> str:
    """Return SQL that holds when row `e` stands before row `d` in the order of the columns."""
    choices = []
    for place, column in enumerate(columns):
        same = [f"e.{earlier} = d.{earlier}" for earlier in columns[:place]]
        choices.append(" AND ".join([*same, f"e.{column} < d.{column}"]))
    return " OR ".join(f"({choice})" for choice in choices)
