"""A staging table of one run: filled by load jobs, dropped at the end, and by BigQuery itself if the run dies."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from dataplatform.schemas import Table
from eydp.replay.feeds import Feed, Progress
from eydp.replay.jobs import Jobs


@dataclass(slots=True)
class Staged:
    """What a staging table holds. `jobs` are the ids of the load jobs."""

    name: str
    rows: int = 0
    days: set[date] = field(default_factory=set)
    jobs: list[str] = field(default_factory=list)


class Staging:
    """Makes staging tables. A table's name holds the run's, so two runs never share one."""

    def __init__(self, jobs: Jobs, progress: Progress, *, part_max_bytes: int) -> None:
        self._jobs = jobs
        self._progress = progress
        self._part_max_bytes = part_max_bytes

    @asynccontextmanager
    async def filled(
        self, name: str, table: Table, feed: Feed, job_id: str, expires: datetime
    ) -> AsyncIterator[Staged]:
        """Yield a table `name` like `table` with all rows of the feed. It is dropped when the block ends."""
        # Neither partitioned nor clustered: it is read once.
        plain = replace(table, columns=tuple(feed.columns), partition_by=None, cluster_by=())
        await self._jobs.create_table(name, plain, expires)
        try:
            yield await self._fill(name, feed, job_id)
        finally:
            await self._jobs.drop_table(name)

    async def _fill(self, name: str, feed: Feed, job_id: str) -> Staged:
        staged = Staged(name)
        lines: list[bytes] = []
        size = 0
        async for piece in feed.pieces():
            staged.days |= piece.days
            for line in piece.lines:
                if lines and size + len(line) > self._part_max_bytes:
                    await self._load(staged, feed, lines, job_id)
                    lines, size = [], 0
                lines.append(line)
                size += len(line)
            self._progress(feed.counts)
        if lines:
            await self._load(staged, feed, lines, job_id)
        return staged

    async def _load(self, staged: Staged, feed: Feed, lines: list[bytes], job_id: str) -> None:
        part_id = f"{job_id}_{len(staged.jobs):05d}"
        staged.rows += await self._jobs.load(lines, staged.name, feed.columns, job_id=part_id, truncate=not staged.jobs)
        staged.jobs.append(part_id)
