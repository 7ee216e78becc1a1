"""Redriving and discarding quarantine entries.

A redrive goes in batches: `redrive_started` is durable before a batch is published, `redriven` after it, with the new
message ids. Killed in between, the batch is in doubt and is published again under the same mark, and the consumer
makes the copy harmless.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from dataplatform import redrive
from dataplatform.errors import InvalidDataError
from eydp.redrive.entries import OPEN, Entries, Entry, Found
from eydp.redrive.ledger import Action, Ledger
from eydp.redrive.originals import Original, Originals, batches
from eydp.redrive.publisher import Outgoing, Publisher
from eydp.redrive.selection import PUBLISHED_ENTITY, Selection
from eydp.redrive.verdict import verdict

_SHOWN_IDS = 5
_DISCARDED_AT_ONCE = 5_000
_STAGES_OF_MESSAGES = ("decode", "append", "dead_letter")


@dataclass(slots=True)
class Report:
    """What a run did, or would do."""

    done: int = 0
    """Entries published or discarded."""
    again: int = 0
    """Of those published, the ones an earlier run left in doubt."""
    now: dict[str, int] = field(default_factory=dict)
    """What a consumer of this version says of the entries published: `valid`, or the reason."""
    unpublishable: list[str] = field(default_factory=list)
    """Entries that Pub/Sub would not take: with the mark they are too large or have too many attributes."""
    elsewhere: dict[str, int] = field(default_factory=dict)
    """Entries by entity that did not come through Pub/Sub."""
    closed: list[str] = field(default_factory=list)
    """Entries asked for by id that are not open."""
    left: int = 0
    """Entries of the selection beyond the limit."""


async def chosen(entries: Entries, selection: Selection, limit: int, report: Report) -> Sequence[Entry]:
    """Return the open entries of a selection, the oldest first; note in the report what is passed over.

    Raises:
        InvalidDataError: an id is not in quarantine.
    """
    if not selection.ids:
        found = await entries.find(selection, limit=limit, newest_first=False)
        report.left = found.total - len(found.entries)
        return found.entries
    found = await entries.find(replace(selection, state="all"), limit=len(selection.ids), newest_first=False)
    refuse_unknown(selection, found)
    report.closed = [entry.id for entry in found.entries if entry.state not in OPEN]
    opened = [entry for entry in found.entries if entry.state in OPEN]
    report.left = len(opened) - len(opened[:limit])
    return opened[:limit]


def refuse_unknown(selection: Selection, found: Found) -> None:
    """Refuse ids that quarantine does not hold.

    Raises:
        InvalidDataError: with a sentence that names them.
    """
    known = {entry.id for entry in found.entries}
    if unknown := [entry_id for entry_id in dict.fromkeys(selection.ids) if entry_id not in known]:
        more = ", …" if len(unknown) > _SHOWN_IDS else ""
        raise InvalidDataError(f"quarantine holds no entry {', '.join(unknown[:_SHOWN_IDS])}{more}")


class Redrive:
    """Publishes entries again. Without `publisher` and `ledger` it only looks, and the report says what it would do."""

    def __init__(self, originals: Originals, publisher: Publisher | None, ledger: Ledger | None) -> None:
        self._originals = originals
        self._publisher = publisher
        self._ledger = ledger

    async def run(self, entries: Sequence[Entry], now: datetime, report: Report) -> None:
        """Publish the entries. Stopped at any point, the next run goes on where the ledger says."""
        published = [entry for entry in entries if _is_message(entry)]
        for entry in entries:
            if not _is_message(entry):
                report.elsewhere[entry.entity] = report.elsewhere.get(entry.entity, 0) + 1
        for batch in batches(published):
            found = await self._originals.of(batch)
            fit = []
            for entry in batch:
                original = found[entry.id]
                message = outgoing(entry, original)
                if not redrive.publishable(message.attributes, message.data):
                    report.unpublishable.append(entry.id)
                    continue
                fit.append((entry, message))
                said = verdict(message.data, message.attributes, now)
                report.now[said.reason] = report.now.get(said.reason, 0) + 1
            if fit and self._publisher and self._ledger:
                await self._publish(self._publisher, self._ledger, fit)
            report.done += len(fit)
            report.again += sum(entry.state == "in doubt" for entry, _ in fit)

    async def _publish(self, publisher: Publisher, ledger: Ledger, batch: Sequence[tuple[Entry, Outgoing]]) -> None:
        actions = [Action(entry.id, entry.next_attempt) for entry, _ in batch]
        await ledger.append("redrive_started", actions)
        ids = await publisher.publish([message for _, message in batch])
        done = [
            Action(action.quarantine_id, action.attempt, message_id)
            for action, message_id in zip(actions, ids, strict=True)
        ]
        await ledger.append("redriven", done)


def _is_message(entry: Entry) -> bool:
    """Return whether an entry came through Pub/Sub: carts that the poller refused are of the entity, but did not."""
    return entry.entity == PUBLISHED_ENTITY and entry.stage in _STAGES_OF_MESSAGES


def outgoing(entry: Entry, original: Original) -> Outgoing:
    """Return the message that publishes an entry again."""
    origin = redrive.origin(original.attributes, original.message_id)
    attributes = redrive.marked(original.attributes, entry.id, entry.next_attempt, origin)
    return Outgoing(original.data, attributes)


async def discard(entries: Sequence[Entry], ledger: Ledger | None, note: str, report: Report) -> None:
    """Close the entries without publishing them; the objects and rows stay. Without a ledger only count."""
    if ledger is not None:
        for start in range(0, len(entries), _DISCARDED_AT_ONCE):
            batch = entries[start : start + _DISCARDED_AT_ONCE]
            actions = [Action(entry.id, max(entry.redrives, entry.returned)) for entry in batch]
            await ledger.append("discarded", actions, note=note)
    report.done += len(entries)
