"""One answer of the source, from its first record to its last part: read, validated and written while it arrives."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date

from batch_ingest.entities import Entity
from batch_ingest.findings import Findings, Tally
from batch_ingest.forgotten import stated_id
from batch_ingest.index import Index, IndexBuilder, Known
from batch_ingest.parts import Part, PartWriter
from batch_ingest.progress import Progress
from batch_ingest.quarantine import Spool
from batch_ingest.records import Reader, Valid
from batch_ingest.uploads import Uploads
from dataplatform.rawzone import RawZone
from dataplatform.source import RawRecord


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an answer. The spool is the caller's to close."""

    findings: Findings
    index: Index
    parts: list[Part]
    spool: Spool


@dataclass(frozen=True, slots=True)
class Intake:
    """How answers are taken. With `earlier`, records that it holds go to parts that are not `changed`.

    Records with one of the ids `forgotten` are passed over, as if the source had not sent them.
    """

    entity: Entity
    day: date
    reader: Reader
    zone: RawZone
    part_max_bytes: int
    uploads_at_once: int
    progress: Callable[[], Progress]
    earlier: Index | None = None
    forgotten: frozenset[int] = frozenset()

    async def take(self, chunks: AsyncIterator[list[RawRecord]]) -> Taken:
        """Take one answer to its end; memory does not grow with it, but for sixteen bytes a record.

        Raises what the chunks and the bucket raise; nothing is at work then.
        """
        tally, index, spool, progress = Tally(), IndexBuilder(), Spool(), self.progress()
        known = Known(self.earlier) if self.earlier else None
        try:
            async with Uploads(self.uploads_at_once) as uploads:
                changed, same = self._writer(uploads, changed=True), self._writer(uploads, changed=False)
                async for chunk in chunks:
                    for received in chunk:
                        if self.forgotten and stated_id(received.value) in self.forgotten:
                            continue
                        if type(received.value) is dict:
                            tally.shape(received.value)
                        found = self.reader.read(received)
                        if not isinstance(found, Valid):
                            tally.fault(found)
                            spool.add(found)
                            continue
                        index.add(found.id, found.digest)
                        writer = same if known and known.holds(found.id, found.digest) else changed
                        if not writer.fits(found):
                            await writer.cut()
                        writer.add(found)
                    progress.step(len(chunk), sum(len(received.text) for received in chunk))
                await changed.cut()
                await same.cut()
                await uploads.finish()
            progress.end()
            parts = changed.written + same.written
            whole = index.finish()
            valid = sum(part.count for part in parts)
            findings = Findings(
                valid,
                tally.invalid,
                whole.repeated,
                whole.repeated_count,
                tally.fields(),
                tally.faults(),
                valid - whole.count,
            )
        except BaseException:
            spool.close()
            raise
        return Taken(findings, whole, parts, spool)

    def _writer(self, uploads: Uploads, *, changed: bool) -> PartWriter:
        return PartWriter(self.zone, self.entity, self.day, uploads, max_bytes=self.part_max_bytes, changed=changed)
