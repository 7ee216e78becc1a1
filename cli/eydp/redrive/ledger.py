"""The ledger: `bq_raw.quarantine_actions`, one row a step, only ever added to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dataplatform.clock import Clock, rfc3339
from dataplatform.schemas import QUARANTINE_ACTIONS
from dataplatform.settings import PlatformSettings
from dataplatform.warehouse import Warehouse

ActionName = Literal["redrive_started", "redriven", "discarded"]


@dataclass(frozen=True, slots=True)
class Action:
    """One step with one entry."""

    quarantine_id: str
    attempt: int
    message_id: str | None = None


class Ledger:
    """Appends the actions of one run, each call a load job with a name of its own, so that a repeated one is one."""

    def __init__(self, warehouse: Warehouse, platform: PlatformSettings, clock: Clock, run_id: str) -> None:
        self._warehouse = warehouse
        self._table = platform.raw_table(QUARANTINE_ACTIONS.name)
        self._clock = clock
        self._run_id = run_id
        self._calls = 0

    async def append(self, name: ActionName, actions: Sequence[Action], *, note: str | None = None) -> None:
        """Return when the actions are durable and every query sees them."""
        self._calls += 1
        acted_at = rfc3339(self._clock.now())
        rows = [
            {
                "quarantine_id": action.quarantine_id,
                "action": name,
                "attempt": action.attempt,
                "run_id": self._run_id,
                "message_id": action.message_id,
                "acted_at": acted_at,
                "note": note,
            }
            for action in actions
        ]
        await self._warehouse.load_rows(
            rows,
            self._table,
            QUARANTINE_ACTIONS.columns,
            job_id=f"quarantine_{self._run_id}_{self._calls:05d}",
            labels={"purpose": "quarantine"},
        )
