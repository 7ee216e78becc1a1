"""All that is known of one quarantine entry."""

from dataclasses import dataclass
from typing import Any

from dataplatform import redrive
from eydp.redrive.entries import Entry
from eydp.redrive.originals import Original, attributes_of
from eydp.redrive.quarantine import refuse_unknown
from eydp.redrive.selection import PUBLISHED_ENTITY, Selection
from eydp.redrive.verdict import verdict
from eydp.redrive.wiring import Tools


@dataclass(frozen=True, slots=True)
class Inspection:
    """An entry with its history, the oldest first, and its original."""

    entry: Entry
    occurrences: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    original: Original
    verdict: str
    """What the consumer of this version says of it; empty for records that do not go through it."""


async def inspect(tools: Tools, entry_id: str) -> Inspection:
    """Return what tables and bucket say of an entry.

    Raises:
        InvalidDataError: quarantine holds no such entry, or its object is gone.
    """
    selection = Selection(ids=(entry_id,), state="all")
    found = await tools.entries.find(selection, limit=1, newest_first=True)
    refuse_unknown(selection, found)
    entry = found.entries[0]
    rows = await tools.entries.rows([entry_id])
    original = await tools.originals.of_row(rows[0])
    return Inspection(
        entry,
        _occurrences(rows),
        await tools.entries.actions(entry_id),
        original,
        str(verdict(original.data, original.attributes, tools.clock.now())) if entry.entity == PUBLISHED_ENTITY else "",
    )


def _occurrences(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each time the entry came: copies of one publish are one, told by the first of their rows."""
    came = {}
    for row in rows:  # the latest stands first
        after = redrive.attempt(attributes_of(row))
        came[after] = {
            "quarantined_at": row["quarantined_at"],
            "after_redrive": after,
            "stage": row["stage"],
            "reason": row["reason"],
            "message_id": row["message_id"],
            "published_at": row["published_at"],
            "delivery_attempt": row["delivery_attempt"],
            "raw_uri": row["raw_uri"],
        }
    return [came[after] for after in sorted(came)]
