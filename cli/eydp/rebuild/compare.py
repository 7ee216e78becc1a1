"""The comparison of an old table with its rebuilt one, key by key. Pure but for the questions to BigQuery."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dataplatform import schemas
from dataplatform.schemas import Table
from dataplatform.warehouse import Warehouse
from eydp.replay.targets import EVENTS, QUARANTINED

_SHOWN = 20
#: What depends on which of several deliveries became the row, or on when it did.
_OF_THE_DELIVERY = {
    "carts_events": ("published_at", "ingested_at", "message_id", "raw_uri"),
    "quarantine": ("published_at", "delivery_attempt", "quarantined_at", "raw_uri"),
}
_KEYS = {
    "Products": "CONCAT({a}.source, '/', CAST({a}.id AS STRING))",
    "Users": "CONCAT({a}.source, '/', CAST({a}.id AS STRING))",
    "carts_events": EVENTS.key,
    "quarantine": QUARANTINED.key,
}
_ORDERS = {"carts_events": EVENTS.order, "quarantine": QUARANTINED.order}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One table, old and new. Without an old one the figures of it are None."""

    table: str
    old_rows: int | None
    old_keys: int | None
    new_keys: int
    old_checksum: int | None
    new_checksum: int
    lost: int = 0
    """Keys that the old table has and the raw zone does not give."""
    gained: int = 0
    changed: int = 0
    examples: Sequence[str] = field(default_factory=list)

    @property
    def harmless(self) -> bool:
        """Return whether nothing that the old table holds would be lost or become something else."""
        return not (self.lost or self.changed)


def key_of(table: Table, alias: str) -> str:
    """Return the SQL of a row's key; of a table without one the whole row is the key."""
    names = ", ".join(f"{{a}}.`{column.name}`" for column in table.columns)
    return _KEYS.get(table.name, f"TO_JSON_STRING(STRUCT({names}))").replace("{a}", alias)


def _content(table: Table, alias: str) -> str:
    out = _OF_THE_DELIVERY.get(table.name, ())
    return ", ".join(f"{alias}.`{column.name}`" for column in table.columns if column.name not in out)


def _distinct(table: Table, name: str) -> str:
    """Return a query for each key and its content once: of doubled rows the one that stays."""
    order = ", ".join(f"t.{column}" for column in _ORDERS.get(table.name, ())) or "1"
    return f"""
        SELECT {key_of(table, "t")} AS k, TO_JSON_STRING(STRUCT({_content(table, "t")})) AS v FROM `{name}` AS t
        QUALIFY ROW_NUMBER() OVER (PARTITION BY {key_of(table, "t")} ORDER BY {order}) = 1"""  # noqa: S608 - names come from validated settings


_FIGURES = "COUNT(*) AS keys, IFNULL(BIT_XOR(FARM_FINGERPRINT(CONCAT(k, ' ', v))), 0) AS checksum"


async def compare(warehouse: Warehouse, table: Table, old: str | None, new: str) -> Comparison:
    """Compare two tables of one contract; `old` None when there is no old one."""
    [made] = await warehouse.query(f"SELECT {_FIGURES} FROM ({_distinct(table, new)})")  # noqa: S608 - names come from validated settings
    if old is None:
        return Comparison(table.name, None, None, int(made["keys"]), None, int(made["checksum"]))
    [held] = await warehouse.query(
        f"SELECT {_FIGURES}, (SELECT COUNT(*) FROM `{old}`) AS n FROM ({_distinct(table, old)})"  # noqa: S608 - as above
    )
    differing = f"""
        SELECT IFNULL(o.k, n.k) AS k,
          CASE WHEN n.k IS NULL THEN 'lost' WHEN o.k IS NULL THEN 'gained' ELSE 'changed' END AS what
        FROM ({_distinct(table, old)}) AS o FULL JOIN ({_distinct(table, new)}) AS n ON o.k = n.k
        WHERE o.k IS NULL OR n.k IS NULL OR o.v != n.v"""  # noqa: S608 - names come from validated settings
    counts: dict[str, int] = {"lost": 0, "gained": 0, "changed": 0}
    examples: list[str] = []
    if (held["keys"], held["checksum"]) != (made["keys"], made["checksum"]):
        counted = await warehouse.query(f"SELECT what, COUNT(*) AS n FROM ({differing}) GROUP BY what")  # noqa: S608 - as above
        counts.update({row["what"]: int(row["n"]) for row in counted})
        listed = await warehouse.query(f"SELECT what, k FROM ({differing}) ORDER BY what DESC, k LIMIT {_SHOWN}")  # noqa: S608 - as above
        examples = [f"{row['what']} {row['k'][:200]}" for row in listed]
    return Comparison(
        table=table.name,
        old_rows=int(held["n"]),
        old_keys=int(held["keys"]),
        new_keys=int(made["keys"]),
        old_checksum=int(held["checksum"]),
        new_checksum=int(made["checksum"]),
        examples=examples,
        **counts,
    )


def row(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as a line of a person's table."""
    return {
        "table": comparison.table,
        "old rows": comparison.old_rows,
        "old": comparison.old_keys,
        "new": comparison.new_keys,
        "lost": comparison.lost,
        "gained": comparison.gained,
        "changed": comparison.changed,
        "checksum": "same" if comparison.old_checksum == comparison.new_checksum else "",
    }


#: The tables that the raw zone can't give: they are copied.
COPIED: tuple[Table, ...] = (schemas.QUARANTINE_ACTIONS, schemas.LOAD_AUDIT)
