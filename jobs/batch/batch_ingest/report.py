"""What a run has done so far: filled in step by step, and told in one log line and one row of `bq_raw.load_audit`."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from batch_ingest.receipt import Receipt
from dataplatform.clock import rfc3339
from dataplatform.rawzone import RawZone

type Outcome = Literal["loaded", "refused", "failed"]


@dataclass(slots=True)
class Report:
    """One try of one run. Counts are None as long as nobody knows them."""

    entity: str
    day: date
    started_at: datetime
    run_id: str
    source_count: int | None = None
    valid_count: int | None = None
    quarantined_count: int | None = None
    loaded_count: int | None = None
    """Rows in the table after the load."""
    bytes: int = 0
    """Compressed bytes of the run's objects, whether this try wrote them or an earlier one."""
    objects: list[str] = field(default_factory=list)
    job_ids: list[str] = field(default_factory=list)
    """Jobs of this try; none when the table held the run already."""
    outcome: Outcome = "failed"
    error: str | None = None
    finished_at: datetime | None = None

    def received(self, receipt: Receipt, zone: RawZone) -> None:
        """Take over what is in the bucket."""
        self.run_id = receipt.run.run_id
        self.source_count = receipt.findings.count
        self.valid_count = receipt.findings.valid
        self.quarantined_count = receipt.findings.invalid
        self.bytes = receipt.bytes
        self.objects = [zone.uri(part.name) for part in receipt.parts]
        self.objects += [zone.uri(name) for name, _ in receipt.quarantined]

    @property
    def seconds(self) -> float:
        """Return how long the try took, 0 while it runs."""
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at else 0.0

    @property
    def key(self) -> str:
        """Return what tells this try from every other."""
        return f"{self.entity}_{self.day:%Y%m%d}_{self.mark}"

    @property
    def mark(self) -> str:
        """Return when the try started, in microseconds since 1970: its end in the ids of jobs."""
        return str(int(self.started_at.timestamp() * 1_000_000))

    def row(self) -> dict[str, Any]:
        """Return the row of `bq_raw.load_audit`; call it when the try has finished."""
        return {
            "run_id": self.run_id,
            "entity": self.entity,
            "logical_date": self.day.isoformat(),
            "started_at": rfc3339(self.started_at),
            "finished_at": rfc3339(self.finished_at or self.started_at),
            "source_count": self.source_count,
            "valid_count": self.valid_count,
            "quarantined_count": self.quarantined_count,
            "loaded_count": self.loaded_count,
            "bytes": self.bytes,
            "objects": self.objects,
            "job_ids": self.job_ids,
            "outcome": self.outcome,
            "error": self.error,
        }

    def summary(self) -> dict[str, Any]:
        """Return the fields of the log line."""
        return {
            "entity": self.entity,
            "run_id": self.run_id,
            "logical_date": self.day.isoformat(),
            "source_count": self.source_count,
            "valid": self.valid_count,
            "quarantined": self.quarantined_count,
            "loaded": self.loaded_count,
            "objects": len(self.objects),
            "bytes": self.bytes,
            "jobs": self.job_ids,
            "seconds": round(self.seconds, 3),
        }
