"""Guards: what must hold before a table is replaced. A load that is refused leaves the table as it was."""

from collections import Counter

from batch_ingest.entities import Entity
from batch_ingest.records import Answer
from batch_ingest.settings import BatchSettings
from dataplatform.errors import InvalidDataError

_SHOWN_IDS = 5


class RefusedError(InvalidDataError):
    """A guard tripped; the message names it, its numbers and what to do."""


def check(entity: Entity, answer: Answer, settings: BatchSettings) -> None:
    """Return when the records may replace the table.

    Raises:
        RefusedError: with the first guard that trips: no_records, too_many_invalid or duplicate_ids.
    """
    if not answer.count:
        raise _refused(entity, "no_records", "the source sent no record")
    share = len(answer.invalid) / answer.count
    if share > settings.max_invalid_ratio or not answer.valid:
        (reason, detail), times = Counter((each.reason, each.detail) for each in answer.invalid).most_common(1)[0]
        raise _refused(
            entity,
            "too_many_invalid",
            f"{len(answer.invalid)} of {answer.count} records are invalid, {times} of them with {reason} ({detail}); "
            f"{settings.variable('max_invalid_ratio')} allows a share of {settings.max_invalid_ratio:g}, "
            "and at least one record must be valid",
        )
    if repeated := answer.repeated_ids:
        shown = ", ".join(str(number) for number in repeated[:_SHOWN_IDS])
        more = ", …" if len(repeated) > _SHOWN_IDS else ""
        raise _refused(
            entity,
            "duplicate_ids",
            f"{len(repeated)} ids came more than once: {shown}{more}; the source must mend that",
        )


def _refused(entity: Entity, guard: str, why: str) -> RefusedError:
    return RefusedError(f"{entity.name} were not loaded and the table is as it was (guard {guard}): {why}")
