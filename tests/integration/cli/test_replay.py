"""`eydp replay` on the embedded stack: what the raw zone holds and the tables lack is appended, and no more."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dataplatform.clock import rfc3339
from dataplatform.envelope import opaque_line, record_line
from eydp.replay import start
from eydp.replay.run import Report
from localcloud.state import StackState
from support.upkeep import DAY, NOON, Place, cart, message, original, place

SPAN = ("--from", "2026-11-20", "--to", "2026-11-20")
LONG_AGO = NOON + timedelta(seconds=2)


@pytest.fixture(scope="module", name="here")
def place_fixture(
    stack: StackState, stack_env: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    with place(stack, stack_env, tmp_path_factory.mktemp("replay")) as made:
        yield made


@pytest.fixture(autouse=True)
def _empty(here: Place) -> None:
    """Each test begins with empty tables and an empty day."""

    async def clear(tools: Any) -> None:
        for prefix in ("carts_events/", "quarantine/", "_state/replay/"):
            for stored in await tools.bucket.objects(prefix):
                await tools.bucket.delete(stored)
        for table in ("carts_events", "quarantine"):
            await tools.jobs.statement(
                f"DELETE FROM `{tools.platform.raw_table(table)}` WHERE TRUE",  # noqa: S608 - a table of the test's own
                [],
                job_id=f"clear_{tools.run_id}_{table}",
            )

    here.with_tools(clear)


def replayed(here: Place, *arguments: str, code: int = 0) -> dict[str, Any]:
    told: dict[str, Any] = here.world.eydp("replay", *SPAN, *arguments, "--json", code=code).json
    return told


def mended(here: Place, ahead: timedelta = timedelta()) -> Report:
    """A replay at a time ahead of now."""
    return here.with_tools(
        lambda tools: start.replay(tools, "carts_events", (DAY, DAY), check=False, progress=lambda _: None), ahead
    )


def test_what_is_missing_is_appended_once_and_what_is_doubled_and_old_is_removed(here: Place) -> None:
    held = [message(cart(number)) for number in (1, 2)]
    lost = [message(cart(3)), message(cart(4))]
    again = [message(cart(4), copy=2), message(cart(5), at=NOON + timedelta(hours=1))]
    name = here.archived([*held, *lost])
    here.archived(again, sequence=2)
    # Filed under the day before, as it begins there: its second message is of the day.
    midnight = datetime(2026, 11, 20, tzinfo=UTC)
    early = [message(cart(6, observed=midnight), at=midnight - timedelta(seconds=n)) for n in (1, 0)]
    here.archived(early, sequence=3)
    here.appended(held, name, taken=LONG_AGO)
    here.appended(held[:1], name, taken=LONG_AGO + timedelta(minutes=5))  # doubled, long ago
    here.appended(held[1:], name, taken=datetime.now(UTC))  # doubled, just now

    assert "4 of 6 have no row" in here.world.eydp("replay", *SPAN, "--check", code=65).err
    assert here.carts() == [1, 1, 2, 2]
    found = replayed(here)
    assert {key: found[key] for key in ("objects", "lines", "found", "missing", "appended")} == {
        "objects": 3,
        "lines": 8,
        "found": 6,
        "missing": 4,
        "appended": 4,
    }
    assert (found["doubled"], found["removed"], found["left"]) == (2, 1, 1)
    assert here.carts() == [1, 2, 2, 3, 4, 5, 6]
    [kept] = here.rows("select ingested_at from {raw}.carts_events where cart_id = 1")
    assert kept["ingested_at"] == LONG_AGO, "of two rows the first stays"

    later = mended(here, ahead=timedelta(hours=2))
    assert (later.missing, later.removed, later.left) == (0, 1, 0)
    assert here.carts() == [1, 2, 3, 4, 5, 6]
    audit = here.rows("select run_id, loaded_count, outcome from {raw}.load_audit where entity = 'carts_events'")
    told = {row["run_id"]: (row["loaded_count"], row["outcome"]) for row in audit}  # other tests replay here, too
    assert (told[found["run_id"]], told[later.run_id]) == ((4, "loaded"), (0, "loaded"))
    assert here.staging_tables() == []


def test_an_object_that_was_just_made_is_left_to_the_consumer(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYDP_REPLAY_RAW_MARGIN_SECONDS", "900")
    here.archived([message(cart(1))])
    young = mended(here)
    assert (young.counts.young_objects, young.counts.young_lines, young.found) == (1, 1, 0)
    assert here.carts() == []
    assert mended(here, ahead=timedelta(minutes=16)).appended == 1


def test_quarantine_gets_the_rows_of_all_its_writers(here: Place) -> None:
    at = rfc3339(NOON)
    of_message = {
        "quarantine_id": "m1",
        "stage": "decode",
        "reason": "not_json",
        "detail": "the payload is no JSON",
        "message_id": "17",
        "publish_time": at,
        "attributes": {"source": "other"},
        "delivery_attempt": 2,
        "quarantined_at": at,
    }
    of_record = {
        "quarantine_id": "r1",
        "stage": "parse",
        "reason": "wrong_type",
        "detail": "price: not a number",
        "source": "fakestore",
        "run_id": "20261120-1",
        "quarantined_at": at,
    }
    of_cart = {"quarantine_id": "c1", "stage": "parse", "reason": "wrong_type", "detail": "id", "source": "fakestore"}
    here.quarantined(
        "quarantine/carts_events/dt=2026-11-20/aa.jsonl.gz",
        [opaque_line(of_message, b"{"), opaque_line({**of_message, "attributes": _redriven()}, b"{")],
    )
    here.quarantined(
        "quarantine/carts_events/dt=2026-11-20/ab.jsonl.gz",
        [opaque_line({**of_message, "quarantined_at": rfc3339(NOON + timedelta(minutes=1))}, b"{")],
    )
    refused = {**of_message, "quarantine_id": "m2", "stage": "append", "message_id": "9-1"}
    here.quarantined("quarantine/carts_events/dt=2026-11-20/ac.jsonl.gz", [opaque_line(refused, b"{}")])
    here.quarantined("quarantine/products/dt=2026-11-20/bb.jsonl.gz", [opaque_line(of_record, b'{"id": 1}')])
    here.quarantined("quarantine/carts_events/dt=2026-11-20/cc.jsonl.gz", [record_line(of_cart, b'{"id": "x"}')])

    assert replayed(here, "--entity", "quarantine")["appended"] == 5, "a copy of a message is no entry of its own"
    assert replayed(here, "--entity", "quarantine")["appended"] == 0
    rows = here.rows("select * from {raw}.quarantine order by quarantine_id, raw_uri, attributes is null")
    assert [row["quarantine_id"] for row in rows] == ["c1", "m1", "m1", "m2", "r1"]
    poller, first, record = rows[0], rows[1], rows[4]
    assert original(poller) == {"id": "x"}
    assert poller["quarantined_at"].date() == DAY
    assert (first["message_id"], first["source"], first["delivery_attempt"]) == ("17", "other", 2)
    assert (record["entity"], record["source"], record["quarantined_at"]) == ("products", "fakestore", NOON)

    # A row that BigQuery refused is in the archive too, and is not missing.
    here.archived([message(cart(9))])
    events = replayed(here)
    assert (events["refused"], events["found"], events["appended"]) == (1, 0, 0)


def _redriven() -> dict[str, str]:
    return {"redrive_of": "m1", "redrive_attempt": "1", "redrive_message_id": "17", "source": "other"}
