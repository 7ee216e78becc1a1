"""What the table of an entity holds, as its loads wrote it down: which run, and whether a load was cut off.

It stands in the bucket, as an object that is replaced: written before a load begins and after it has ended, so that
a load that died in between is known to have left nobody knows which of two runs.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from batch_ingest.entities import Entity
from dataplatform.errors import BusyError, InvalidDataError
from dataplatform.rawzone import RawZone


@dataclass(frozen=True, slots=True)
class Loaded:
    """The last run that was loaded to its end."""

    run_id: str
    day: date
    rows: int
    fields: Mapping[str, int] = field(default_factory=dict)
    """How many of its records had each field."""
    records: int = 0
    baseline: tuple[date, str] | None = None
    """The run of an earlier day that the table held before this day."""

    def described(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {
            "run_id": self.run_id,
            "logical_date": self.day.isoformat(),
            "rows": self.rows,
            "records": self.records,
            "fields": dict(self.fields),
            "baseline": self.baseline and [self.baseline[0].isoformat(), self.baseline[1]],
        }

    def before(self, day: date) -> tuple[date, str] | None:
        """Return the run of an earlier day with which a run of `day` is compared; None when it is not known.

        All runs of a day are compared with the same one, so that a repeated run makes the same parts.
        """
        if self.day < day:
            return self.day, self.run_id
        return self.baseline if self.day == day else None


class TableState:
    """The object `_state/batch/{entity}/table.json`. Only the holder of the entity's lease writes it."""

    def __init__(self, zone: RawZone, entity: Entity) -> None:
        self._zone = zone
        self._name = f"_state/batch/{entity.name}/table.json"
        self._generation = 0
        self.loaded: Loaded | None = None
        self.loading: str | None = None
        """The run whose load began and did not end."""

    async def read(self) -> None:
        """Read what is there.

        Raises:
            InvalidDataError: the object can't be read.
            UnavailableError: the bucket did not answer within the retry deadline.
        """
        found = await self._zone.read(self._name)
        if found is None:
            return
        try:
            state = json.loads(found.data)
            self.loading = state["loading"]
            self.loaded = _loaded(state["loaded"]) if state["loaded"] else None
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidDataError(
                f"{self._zone.uri(self._name)} can't be read: move it away, and the next run loads everything"
            ) from error
        self._generation = found.generation

    async def begin(self, run_id: str) -> None:
        """Say that a load begins. Raises BusyError when another process wrote since `read`, or UnavailableError."""
        self.loading = run_id
        await self._write()

    async def end(self, loaded: Loaded) -> None:
        """Say what the table holds now. Raises what `begin` raises."""
        self.loaded, self.loading = loaded, None
        await self._write()

    async def _write(self) -> None:
        state = {"loading": self.loading, "loaded": self.loaded and self.loaded.described()}
        text = json.dumps(state).encode()
        generation = await self._zone.replace(self._name, text, generation=self._generation)
        if generation is None:
            # A write whose answer was lost and that was tried again finds itself.
            found = await self._zone.read(self._name)
            if found is None or found.data != text:
                raise BusyError("another run loaded the table at the same time: look which one, and try again")
            generation = found.generation
        self._generation = generation


def _loaded(state: dict[str, Any]) -> Loaded:
    baseline = state["baseline"]
    return Loaded(
        str(state["run_id"]),
        date.fromisoformat(state["logical_date"]),
        int(state["rows"]),
        {str(name): int(count) for name, count in state["fields"].items()},
        int(state["records"]),
        (date.fromisoformat(baseline[0]), str(baseline[1])) if baseline else None,
    )
