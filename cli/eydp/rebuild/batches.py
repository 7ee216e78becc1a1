"""Products and users from the last good run of the batch loader, and what the manifests know of the audit."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dataplatform.errors import InvalidDataError
from dataplatform.rawzone import RawZone
from dataplatform.schemas import PRODUCTS, USERS, Table

TABLES = {"products": PRODUCTS, "users": USERS}


@dataclass(frozen=True, slots=True)
class Part:
    """One object of a run; `digest` is of its lines."""

    name: str
    count: int
    digest: str


@dataclass(frozen=True, slots=True)
class Run:
    """A run that was loaded, as its manifest tells."""

    entity: str
    run_id: str
    logical_date: str
    received_at: str
    valid_count: int
    quarantined_count: int
    parts: tuple[Part, ...]

    @property
    def table(self) -> Table:
        """Return the table of the run."""
        return TABLES[self.entity]

    def audit_row(self, zone: RawZone) -> dict[str, Any]:
        """Return what the manifest knows of the run's row in `bq_raw.load_audit`."""
        return {
            "run_id": self.run_id,
            "entity": self.entity,
            "logical_date": self.logical_date,
            "started_at": self.received_at,
            "finished_at": self.received_at,
            "source_count": self.valid_count + self.quarantined_count,
            "valid_count": self.valid_count,
            "quarantined_count": self.quarantined_count,
            "loaded_count": self.valid_count,
            "bytes": None,
            "objects": [zone.uri(part.name) for part in self.parts],
            "job_ids": [],
            "outcome": "loaded",
            "error": None,
        }


async def runs(zone: RawZone, entity: str) -> list[Run]:
    """Return all runs that were loaded, the last one last: by the day they are for, then by when they came.

    Raises:
        InvalidDataError: a manifest can't be read.
    """
    found = []
    for name in await zone.names(f"_manifests/{entity}/"):
        stored = await zone.read(name)
        if stored is not None:
            found.append(_run(zone.uri(name), entity, stored.data))
    return sorted(found, key=lambda run: (run.logical_date, run.received_at, run.run_id))


def _run(uri: str, entity: str, data: bytes) -> Run:
    try:
        fields = json.loads(data)
        parts = tuple(Part(part["name"], int(part["count"]), part["digest"]) for part in fields["parts"])
        return Run(
            entity=entity,
            run_id=fields["run_id"],
            logical_date=fields["logical_date"],
            received_at=fields["received_at"],
            valid_count=int(fields["valid_count"]),
            quarantined_count=int(fields["quarantined_count"]),
            parts=parts,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidDataError(f"{uri} is not the manifest of a batch run: {error}") from error


def shortage(run: Run, loaded: int) -> str:
    """Return a sentence when a table got another number of rows than the manifest says, an empty one otherwise."""
    expected = sum(part.count for part in run.parts)
    return "" if loaded == expected else f"run {run.run_id} of {run.entity} gave {loaded} rows of {expected}"


def uris(zone: RawZone, parts: Sequence[Part]) -> list[str]:
    """Return the addresses of parts."""
    return [zone.uri(part.name) for part in parts]
