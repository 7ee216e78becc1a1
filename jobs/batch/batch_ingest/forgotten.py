"""Users who asked to be forgotten: their ids alone, so that a load does not take again what the shop still sends.

The list is the object `_state/batch/users/forgotten.json`. `eydp forget` writes it, the loader reads it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dataplatform.errors import BusyError, InvalidDataError
from dataplatform.rawzone import RawZone

NAME = "_state/batch/users/forgotten.json"
_MAX_DIGITS = 19


@dataclass(frozen=True, slots=True)
class Forgotten:
    """One user of a shop. `quarantine_ids` are of records in quarantine that were found to be the user's."""

    source: str
    id: int
    quarantine_ids: frozenset[str] = frozenset()


def stated_id(value: Any) -> int | None:
    """Return the id that a record states, also as text; None when it states none."""
    stated = value.get("id") if isinstance(value, dict) else None
    if isinstance(stated, str) and stated.isascii() and stated.isdigit() and len(stated) <= _MAX_DIGITS:
        return int(stated)
    if isinstance(stated, bool) or not isinstance(stated, int | float) or stated != stated // 1:
        return None
    return int(stated)


def ids_of(people: Iterable[Forgotten], source: str) -> frozenset[int]:
    """Return the ids of one shop."""
    return frozenset(each.id for each in people if each.source == source)


async def read(zone: RawZone) -> list[Forgotten]:
    """Return the whole list.

    Raises:
        InvalidDataError: the object can't be read.
        UnavailableError: the bucket did not answer within the retry deadline.
    """
    people, _ = await _read(zone)
    return people


async def remember(zone: RawZone, person: Forgotten) -> Forgotten:
    """Put a user on the list; return the entry, which has the quarantine ids of earlier calls too.

    Raises:
        BusyError: another process changed the list at the same moment.
        InvalidDataError: the object can't be read.
        UnavailableError: the bucket did not answer within the retry deadline.
    """
    people, generation = await _read(zone)
    others = [each for each in people if (each.source, each.id) != (person.source, person.id)]
    known = (each.quarantine_ids for each in people if each not in others)
    whole = Forgotten(person.source, person.id, person.quarantine_ids.union(*known))
    if whole in people:
        return whole
    listed = [
        {"source": each.source, "id": each.id, "quarantine_ids": sorted(each.quarantine_ids)}
        for each in [*others, whole]
    ]
    text = json.dumps({"people": listed}).encode()
    if await zone.replace(NAME, text, generation=generation) is None:
        found = await zone.read(NAME)
        if found is None or found.data != text:  # else it is this very write, whose answer was lost
            raise BusyError("another run changed the list of the forgotten at the same moment: try again")
    return whole


async def _read(zone: RawZone) -> tuple[list[Forgotten], int]:
    found = await zone.read(NAME)
    if found is None:
        return [], 0
    try:
        people = [
            Forgotten(str(each["source"]), int(each["id"]), frozenset(map(str, each["quarantine_ids"])))
            for each in json.loads(found.data)["people"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        # Going on without the list would bring people back.
        raise InvalidDataError(f"{zone.uri(NAME)} can't be read: restore it before the next load") from error
    return people, found.generation
