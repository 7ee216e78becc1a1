"""One compaction: hour by hour, write, read back, say so in a manifest, retire.

The manifest is the point at which the joined object takes the originals' place. Killed before it, the joined object
counts for nothing and is removed by the next run; killed after it, the next run retires what is left.
"""

import gzip
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from dataplatform.clock import Clock
from dataplatform.errors import InvalidDataError
from dataplatform.rawzone import RawZone
from eydp.archive.bucket import Bucket, Stored
from eydp.archive.joined import Manifest, is_joined, manifest_name, retired_name
from eydp.archive.reader import Archive, Readable, day_prefix
from eydp.compact.group import Group, Joined, Member, check
from eydp.replay.feeds import Progress
from eydp.replay.settings import ReplaySettings


@dataclass(slots=True)
class Report:
    """What a run found and did."""

    run_id: str
    day: date
    objects: int = 0
    """Originals that were joined."""
    lines: int = 0
    joined: int = 0
    """Joined objects that were made."""
    retired: int = 0
    """Originals that were moved, those of an earlier run that was killed included."""
    discarded: int = 0
    """Joined objects of an earlier run that never counted."""
    young: int = 0
    """Originals left alone, as they were made just now."""

    def summary(self) -> dict[str, Any]:
        """Return what is told to logs and scripts."""
        return {**asdict(self), "day": self.day.isoformat()}


class Compaction:
    """Joins the cart events of a day. Killed anywhere and repeated, it ends the same; hold the lease while it runs."""

    def __init__(
        self,
        zone: RawZone,
        bucket: Bucket,
        archive: Archive,
        settings: ReplaySettings,
        clock: Clock,
        progress: Progress,
    ) -> None:
        self._zone = zone
        self._bucket = bucket
        self._archive = archive
        self._settings = settings
        self._clock = clock
        self._progress = progress

    async def run(self, report: Report) -> None:
        """Join what is old enough of the report's day.

        Raises:
            InvalidDataError: an object can't be read, or what was written is not what should be there.
            UnavailableError: the bucket did not answer within the retry deadline.
        """
        hours: dict[str, list[Stored]] = {}
        for stored in await self._bucket.objects(day_prefix(report.day)):
            hours.setdefault(stored.name.rpartition("/")[0] + "/", []).append(stored)
        young = self._clock.now() - timedelta(seconds=self._settings.raw_margin_seconds)
        for hour, found in sorted(hours.items()):
            await self._hour(hour, found, young, report)

    async def _hour(self, hour: str, found: Sequence[Stored], young: datetime, report: Report) -> None:
        there = {stored.name: stored for stored in found}
        known = await self._archive.manifests(hour)
        for manifest in known:
            await self._retire(manifest, there, report)
        done = {original.name for manifest in known for original in manifest.originals}
        originals = [each for each in found if not is_joined(each.name) and each.name not in done]
        report.young += sum(each.created > young for each in originals)
        counted = {manifest.name for manifest in known}
        async for group in self._groups(hour, [each for each in originals if each.created <= young]):
            joined = group.joined()
            await self._write(joined)
            await self._retire(joined.manifest, there, report)
            counted.add(joined.manifest.name)
            report.objects += len(group.members)
            report.lines += joined.manifest.count
            report.joined += 1
            self._progress(report)
        for stored in found:
            if is_joined(stored.name) and stored.name not in counted:
                report.discarded += await self._bucket.delete(stored)

    async def _groups(self, hour: str, originals: Iterable[Stored]) -> AsyncIterator[Group]:
        """Yield the originals in groups of two and more; one that is alone stays as it is."""
        by_name = {each.name: each for each in originals}
        group = Group(hour)
        objects = [Readable(each.name, each.size, each.created) for each in by_name.values()]
        async for readable, text in self._archive.texts(objects):
            if group.members and group.size + len(text) > self._settings.joined_max_bytes:
                if len(group.members) > 1:
                    yield group
                group = Group(hour)
            group.add(Member(by_name[readable.name], text))
        if len(group.members) > 1:
            yield group

    async def _write(self, joined: Joined) -> None:
        manifest = joined.manifest
        try:
            await self._zone.create(manifest.name, joined.data, metadata=joined.metadata)
        except InvalidDataError:
            # Perhaps the same lines, compressed to other bytes by another version of zlib: that is looked at next.
            if await self._zone.read(manifest.name) is None:
                raise
        stored = await self._zone.read(manifest.name)
        if stored is None:
            raise InvalidDataError(f"{manifest.name} was written and is not there")
        check(manifest, gzip.decompress(stored.data))
        await self._zone.create(manifest_name(manifest.name), manifest.encoded(), content_type="application/json")

    async def _retire(self, manifest: Manifest, there: dict[str, Stored], report: Report) -> None:
        for original in manifest.originals:
            stored = there.get(original.name)
            if stored is None:
                continue
            if stored.md5 != original.md5:
                raise InvalidDataError(
                    f"{stored.name} is not what {manifest.name} was made of, though raw objects never change: find "
                    "out who wrote it"
                )
            await self._bucket.copy(stored, retired_name(stored.name))
            report.retired += await self._bucket.delete(stored)


async def original_text(archive: Archive, zone: RawZone, name: str) -> bytes:
    """Return the lines of the object that a row's `raw_uri` names, wherever they are by now.

    They are in the object, where it was retired to, or, when the bucket's lifecycle has deleted it there, in the joined
    object, among those of others.

    Raises:
        InvalidDataError: they are nowhere.
    """
    if await zone.read(name) is None and await zone.read(retired_name(name)) is None:
        for manifest in await archive.manifests(name.rpartition("/")[0] + "/"):
            if any(original.name == name for original in manifest.originals):
                return await archive.text(manifest.name)
    return await archive.text(name)
