"""Receipts, manifests and indexes of batch runs without one user. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batch_ingest.index import ENTRY_BYTES, Index


@dataclass(frozen=True, slots=True)
class Moved:
    """An object that was written anew: its new name, bytes and lines, and how many lines it lost.

    `name` None: nothing is left of it. `digest` and `md5` are those of a part.
    """

    removed: int
    name: str | None = None
    bytes: int = 0
    count: int = 0
    digest: str = ""
    md5: str = ""


def without(state: Mapping[str, Any], moved: Mapping[str, Moved], user: int) -> dict[str, Any] | None:
    """Return what a receipt or manifest says once objects have moved; None when none of them is its own.

    Raises:
        KeyError: it is no receipt.
    """
    parts, quarantined = state["parts"], state["quarantine"]
    if not any(each["name"] in moved for each in [*parts, *quarantined]):
        return None
    kept: list[dict[str, Any]] = []
    lines = 0
    for part in parts:
        move = moved.get(part["name"])
        made = part
        if move is not None:
            lines += move.removed
            made = {**part, "name": move.name, "count": move.count, "bytes": move.bytes}
            made |= {"digest": move.digest, "md5": move.md5}
        if made["name"] is None:
            continue
        if any(made["name"] == each["name"] for each in kept):
            lines += made["count"]  # the answer held these very records twice, and now one object has them
            continue
        kept.append(made)
    valid = state["valid_count"] - lines
    rows = state["row_count"] - (1 if any(each["name"] in moved for each in parts) else 0)
    invalid = state["quarantined_count"] - sum(
        moved[each["name"]].removed for each in quarantined if each["name"] in moved
    )
    repeated = user in state["repeated_ids"]
    told = {
        **state,
        "parts": kept,
        "quarantine": _quarantine(quarantined, moved),
        "valid_count": valid,
        "row_count": rows,
        "quarantined_count": invalid,
        "repeated_ids": [each for each in state["repeated_ids"] if each != user],
        "repeated_count": state["repeated_count"] - repeated,
        # Which fields the user's records had is not known any more; nobody has a field more often than there are.
        "fields": {name: min(count, valid + invalid) for name, count in state["fields"].items()},
    }
    if "loaded_count" in state:
        told["loaded_count"] = rows
    return told


def _quarantine(listed: list[dict[str, Any]], moved: Mapping[str, Moved]) -> list[dict[str, Any]]:
    kept = []
    for each in listed:
        move = moved.get(each["name"])
        if move is None:
            kept.append(each)
        elif move.name is not None:
            kept.append({**each, "name": move.name, "bytes": move.bytes})
    return kept


def index_without(index: Index, user: int) -> bytes | None:
    """Return the entries of an index without a user's, or None when it has none."""
    number = user.to_bytes(8)
    entries = [entry for entry in index.entries() if entry[:8] != number]
    return b"".join(entries) if len(entries) * ENTRY_BYTES < len(index.data) else None
