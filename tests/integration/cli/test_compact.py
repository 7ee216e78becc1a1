"""`eydp compact` on the embedded stack: whatever a run that died leaves behind, each line is read once."""

import gzip
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from dataplatform.envelope import read_lines
from dataplatform.errors import InvalidDataError
from eydp.archive.joined import RETIRED, is_joined, retired_name
from eydp.archive.reader import Archive, day_prefix
from eydp.compact.run import Compaction, Report, original_text
from eydp.replay.wiring import Upkeep
from localcloud.state import StackState
from support.upkeep import DAY, NOON, Place, cart, message, place

DATE = ("--date", "2026-11-20")


@pytest.fixture(scope="module", name="here")
def place_fixture(
    stack: StackState, stack_env: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    with place(stack, stack_env, tmp_path_factory.mktemp("compact")) as made:
        yield made


class DiedError(Exception):
    """The run ends here, and nothing of it goes on."""


class Mortal:
    """Passes calls on to a bucket's methods, and dies before or after the one that is due."""

    def __init__(self, lives: "Lives", target: Any) -> None:
        self._lives = lives
        self._target = target

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if name not in {"create", "copy", "delete"}:
            return found

        async def call(*args: Any, **options: Any) -> Any:
            self._lives.spend()
            answer = await found(*args, **options)
            self._lives.spend()
            return answer

        return call


class Lives:
    """Counts the moments at which a run can die."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise DiedError


def emptied(here: Place) -> None:
    async def clear(tools: Upkeep) -> None:
        for prefix in ("carts_events/", "_manifests/carts_events/", RETIRED):
            for stored in await tools.bucket.objects(prefix):
                await tools.bucket.delete(stored)

    here.with_tools(clear)


def filled(here: Place) -> dict[str, int]:
    """Three objects in one hour and one in another; return how often each line should be read."""
    for number in range(3):
        carts = [message(cart(10 * number + n), at=NOON + timedelta(seconds=number)) for n in range(3)]
        here.archived([*carts, message(cart(7), copy=number)], sequence=number)
    here.archived([message(cart(50), at=NOON + timedelta(hours=2))])
    return lines(here)


def lines(here: Place) -> dict[str, int]:
    """Each line that a reader gets, by its message id, and how often."""

    async def read(tools: Upkeep) -> dict[str, int]:
        found: Counter[str] = Counter()
        async for _, text in tools.archive.texts(await tools.archive.objects(day_prefix(DAY))):
            found.update(line.fields["message_id"] for line in read_lines(text))
        return dict(found)

    return here.with_tools(read)


def stored(here: Place, prefix: str = "") -> list[str]:
    async def names(tools: Upkeep) -> list[str]:
        return [each.name for each in await tools.bucket.objects(prefix)]

    return here.with_tools(names)


def compacted(lives: Lives) -> Callable[[Upkeep], Awaitable[Report]]:
    """A compaction of the day that may die."""

    async def run(tools: Upkeep) -> Report:
        zone: Any = Mortal(lives, tools.zone)
        bucket: Any = Mortal(lives, tools.bucket)
        report = Report(tools.run_id, DAY)
        await Compaction(zone, bucket, tools.archive, tools.settings, tools.clock, lambda _: None).run(report)
        return report

    return run


def test_the_objects_of_an_hour_become_one_that_holds_the_same_lines(here: Place) -> None:
    emptied(here)
    expected = filled(here)
    originals = stored(here, "carts_events/")
    told = here.world.eydp("compact", *DATE, "--json").json
    assert {key: told[key] for key in ("objects", "lines", "joined", "retired")} == {
        "objects": 3,
        "lines": 12,
        "joined": 1,
        "retired": 3,
    }
    assert lines(here) == expected
    joined, alone = sorted(stored(here, "carts_events/"), key=lambda name: not is_joined(name))
    assert alone in originals, "an object that is alone in its hour stays as it is"
    assert stored(here, RETIRED) == sorted(retired_name(name) for name in originals if name != alone)

    async def metadata(tools: Upkeep) -> dict[str, str]:
        blob = tools.storage.bucket(tools.platform.bucket_name).get_blob(joined)
        assert len(gzip.decompress(blob.download_as_bytes(raw_download=True)).splitlines()) == 12
        return dict(blob.metadata)

    assert here.with_tools(metadata) == {
        "count": "12",
        "first_publish_time": "2026-11-20T12:00:00.000000Z",
        "last_publish_time": "2026-11-20T12:00:02.000000Z",
        "schema_version": "1",
    }
    again = here.world.eydp("compact", *DATE, "--json").json
    assert (again["joined"], again["retired"], again["discarded"]) == (0, 0, 0)


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.long)])
def test_killed_before_or_after_any_write_and_repeated_each_line_is_read_once(here: Place, step: int) -> None:
    emptied(here)
    expected = filled(here)
    lives = 0
    while True:
        died = False
        try:
            here.with_tools(compacted(Lives(lives)))
        except DiedError:
            died = True
        assert lines(here) == expected, f"after it died at moment {lives}"
        # A late object of the hour: the next run joins other objects than the one that died.
        if died:
            late = message(cart(100 + lives), at=NOON + timedelta(seconds=5))
            here.archived([late], sequence=100 + lives)
            expected = {**expected, late.message.message_id: 1}
        assert lines(here) == expected
        here.with_tools(compacted(Lives(1_000)))
        assert lines(here) == expected, f"after it was repeated, having died at moment {lives}"
        if not died:
            break
        emptied(here)
        expected = filled(here)
        lives += step
    assert lives > 10


def test_a_reader_that_listed_before_a_compaction_finds_the_lines_all_the_same(here: Place) -> None:
    emptied(here)
    expected = filled(here)

    async def read(tools: Upkeep) -> dict[str, int]:
        listed = await tools.archive.objects(day_prefix(DAY))
        await compacted(Lives(1_000))(tools)
        found: Counter[str] = Counter()
        async for _, text in tools.archive.texts(listed):
            found.update(line.fields["message_id"] for line in read_lines(text))
        return dict(found)

    assert here.with_tools(read) == expected


def test_the_lines_of_a_rows_object_are_found_wherever_they_are_by_now(here: Place) -> None:
    emptied(here)
    filled(here)
    name = stored(here, "carts_events/")[0]

    async def text(tools: Upkeep) -> bytes:
        return await original_text(tools.archive, tools.zone, name)

    before = here.with_tools(text)
    here.with_tools(compacted(Lives(1_000)))
    assert here.with_tools(text) == before

    async def expire(tools: Upkeep) -> None:
        for each in await tools.bucket.objects(RETIRED):
            await tools.bucket.delete(each)

    here.with_tools(expire)
    assert before in here.with_tools(text)


def test_what_was_made_just_now_is_not_joined(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    emptied(here)
    filled(here)
    monkeypatch.setenv("EYDP_REPLAY_RAW_MARGIN_SECONDS", "900")
    told = here.world.eydp("compact", *DATE, "--json").json
    assert (told["young"], told["joined"]) == (4, 0)


def test_an_object_that_can_not_be_read_stops_the_run_and_nothing_is_lost(here: Place) -> None:
    emptied(here)
    expected = filled(here)
    broken = f"{day_prefix(DAY)}hr=12/zz-1-1-0.jsonl.gz"

    async def damage(tools: Upkeep) -> None:
        await tools.zone.create(broken, b"no gzip")

    here.with_tools(damage)
    assert "can't be read" in here.world.eydp("compact", *DATE, code=65).err

    async def mend(tools: Upkeep) -> None:
        for each in await tools.bucket.objects(broken):
            await tools.bucket.delete(each)

    here.with_tools(mend)
    assert lines(here) == expected


def test_an_object_that_is_nowhere_is_said_to_be(here: Place) -> None:
    async def text(tools: Upkeep) -> bytes:
        return await Archive(tools.zone, tools.bucket).text("carts_events/dt=2026-11-20/hr=12/a-1-1-0.jsonl.gz")

    with pytest.raises(InvalidDataError, match="was listed and is not there"):
        here.with_tools(text)


def test_a_replay_after_a_compaction_finds_every_event_once(here: Place) -> None:
    emptied(here)
    expected = filled(here)
    here.world.eydp("compact", *DATE)
    told = here.world.eydp("replay", "--from", "2026-11-20", "--to", "2026-11-20", "--json").json
    assert (told["lines"], told["appended"]) == (sum(expected.values()), len(set(here.carts())))
    assert sorted(set(here.carts())) == here.carts()
    joined = next(name for name in stored(here, "carts_events/") if is_joined(name))
    uris = {row["raw_uri"] for row in here.rows("select raw_uri from {raw}.carts_events")}
    assert any(uri.endswith(joined) for uri in uris), "new rows name the object that is there"
