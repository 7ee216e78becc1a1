"""What the raw zone holds."""

import asyncio
import gzip
import json
from collections.abc import Callable, Mapping
from typing import Any

from dataplatform.envelope import read_lines
from dataplatform.errors import InvalidDataError
from dataplatform.rawzone import RawZone
from eydp.archive.joined import retired_name
from eydp.verify.reconcile import Archive

_AT_ONCE = 16


async def read_archive(zone: RawZone, runs: Mapping[str, str | None], source: str) -> Archive:
    """Count the distinct events of a shop, and the distinct records of the batch runs, by entity, in `runs`.

    Raises:
        InvalidDataError: an object can't be read.
        google.api_core.exceptions.NotFound: there is no bucket.
    """
    events = await _ids(
        zone, await zone.names("carts_events/"), lambda event: event["event_id"] if event["source"] == source else None
    )
    counts = {}
    for entity, run in runs.items():
        counts[entity] = len(await _ids(zone, await _parts(zone, entity, run), lambda record: record["id"]))
    return Archive(products=counts["products"], users=counts["users"], events=len(events))


async def _parts(zone: RawZone, entity: str, run: str | None) -> list[str]:
    """Return the names of a batch run's parts, as its manifest lists them; none when there is no manifest."""
    for name in await zone.names(f"_manifests/{entity}/"):
        found = await zone.read(name) if run and name.endswith(f"/{run}.json") else None
        if found:
            try:
                return [str(part["name"]) for part in json.loads(found.data)["parts"]]
            except (ValueError, KeyError, TypeError) as error:
                raise InvalidDataError(f"{zone.uri(name)} is not the manifest of a run: {error}") from error
    return []


async def _ids(zone: RawZone, names: list[str], pick: Callable[[Any], Any]) -> set[Any]:
    slots = asyncio.Semaphore(_AT_ONCE)
    found: set[Any] = set()

    async def read(name: str) -> None:
        async with slots:
            # What a compaction joined since the listing lies where it was retired to.
            stored = await zone.read(name) or await zone.read(retired_name(name))
        if stored is None:
            return
        try:
            found.update(pick(json.loads(line.payload)) for line in read_lines(gzip.decompress(stored.data)))
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise InvalidDataError(f"{zone.uri(name)} can't be read: {error}") from error

    await asyncio.gather(*(read(name) for name in names if name.endswith(".jsonl.gz")))
    return found - {None}
