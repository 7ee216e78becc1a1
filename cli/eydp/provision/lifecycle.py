"""What becomes of old objects of the bucket: cheaper storage, and the end of originals that were joined. Pure.

The rules are as the JSON API takes them, and Config Connector uses the same words.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from eydp.archive.joined import RETIRED, RETIRED_DAYS

#: Folders of the bucket whose objects never change. Those of `_state/` do, and are read at each start.
_ARCHIVED = ("carts_events/", "products/", "users/", "quarantine/", "_manifests/")
_NEARLINE_DAYS, _COLDLINE_DAYS, _UPLOAD_DAYS = 90, 365, 7


def lifecycle_rules() -> list[dict[str, Any]]:
    """Return the rules. None deletes what is in the raw zone, but for originals whose joined object stands for them."""
    return [
        _moved("NEARLINE", _NEARLINE_DAYS),
        _moved("COLDLINE", _COLDLINE_DAYS),
        {"action": {"type": "Delete"}, "condition": {"age": RETIRED_DAYS, "matchesPrefix": [RETIRED]}},
        {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": _UPLOAD_DAYS}},
    ]


def with_missing(found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]] | None:
    """Return all rules to set, those of others included, or None when ours are there.

    A rule counts as ours when it does the same to the same objects: after how many days is for a person to change.
    """
    there = [dict(rule) for rule in found]
    known = {_what(rule) for rule in there}
    missing = [rule for rule in lifecycle_rules() if _what(rule) not in known]
    return there + missing if missing else None


def _what(rule: Mapping[str, Any]) -> tuple[Any, ...]:
    action, condition = rule["action"], rule["condition"]
    return action["type"], action.get("storageClass"), tuple(condition.get("matchesPrefix", ()))


def _moved(storage_class: str, days: int) -> dict[str, Any]:
    return {
        "action": {"type": "SetStorageClass", "storageClass": storage_class},
        "condition": {"age": days, "matchesPrefix": list(_ARCHIVED)},
    }
