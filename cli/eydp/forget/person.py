"""Which records are those of one user. Pure."""

import json
from dataclasses import dataclass, field
from typing import Any

from batch_ingest.forgotten import stated_id

#: Fields that tell a person when a record states no id: nobody else has the value.
_TELLING = ("email", "username")


@dataclass(slots=True)
class Person:
    """One user of a shop, and what is known to tell the user: `traits` grow as valid records are met."""

    source: str
    id: int
    quarantine_ids: frozenset[str] = frozenset()
    traits: set[tuple[str, str]] = field(default_factory=set)

    @property
    def key(self) -> str:
        """Return the user's key in snapshots and marts."""
        return f"{self.source}:{self.id}"

    @property
    def needle(self) -> bytes:
        """Return what a line of the user's has in it, so that others need not be parsed."""
        return b'"id":%d,' % self.id if self.id < 1 << 53 else b'"id":"%d",' % self.id

    def has_line(self, line: bytes) -> bool:
        """Return whether a part's line is the user's, and learn from it. Raises ValueError when it is none."""
        if self.needle not in line:
            return False
        fields = json.loads(line)
        if fields["source"] != self.source or int(fields["id"]) != self.id:
            return False
        self.traits |= _traits(fields)
        return True

    def has_quarantined(self, quarantine_id: str, source: str | None, payload: bytes) -> bool:
        """Return whether a quarantined record is the user's: by its id, or by a telling field when it states none."""
        if source not in {None, self.source}:
            return False
        if quarantine_id in self.quarantine_ids:
            return True
        try:
            value = json.loads(payload)
        except ValueError:
            return False
        stated = stated_id(value)
        return stated == self.id if stated is not None else bool(_traits(value) & self.traits)


def _traits(fields: Any) -> set[tuple[str, str]]:
    if not isinstance(fields, dict):
        return set()
    return {
        (name, value.strip().lower())
        for name in _TELLING
        if isinstance(value := fields.get(name), str) and value.strip()
    }
