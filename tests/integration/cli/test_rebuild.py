"""`eydp rebuild` on the embedded stack: the raw tables come back from the raw zone alone."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dataplatform.clock import rfc3339
from dataplatform.envelope import opaque_line
from eydp.replay.wiring import Upkeep
from localcloud.state import StackState
from support.programs import run
from support.upkeep import NOON, Place, cart, message, place

LONG_AGO = NOON + timedelta(seconds=2)
#: When a row was made anew, and which of two deliveries became the row, the raw zone does not tell.
FREE = ("ingested_at", "raw_uri", "message_id", "published_at")


@pytest.fixture(name="here")
def place_fixture(stack: StackState, stack_env: Mapping[str, str], tmp_path: Any) -> Iterator[Place]:
    with place(stack, stack_env, tmp_path) as made:
        yield made


def events(here: Place) -> list[dict[str, Any]]:
    """The rows of the events, but for what is of the delivery."""
    found = here.rows("select * from {raw}.carts_events order by cart_id, version")
    return [{name: value for name, value in row.items() if name not in FREE} for row in found]


def filled(here: Place) -> None:
    """A platform at work: a batch, events with a double and one without a row, a quarantined message."""
    run(here.world.environment, "batch_ingest")
    messages = [message(cart(number)) for number in range(4)]
    name = here.archived(messages)
    here.appended(messages, name, taken=LONG_AGO)
    here.appended(messages[:1], name, taken=LONG_AGO + timedelta(minutes=1))
    at = rfc3339(NOON)
    fields = {
        "quarantine_id": "m1",
        "stage": "decode",
        "reason": "not_json",
        "detail": "the payload is no JSON",
        "message_id": "17",
        "publish_time": at,
        "attributes": {"source": "fakestore"},
        "delivery_attempt": 1,
        "quarantined_at": at,
    }
    here.quarantined("quarantine/carts_events/dt=2026-11-20/aa.jsonl.gz", [opaque_line(fields, b"{")])


def dropped(here: Place) -> None:
    async def drop(tools: Upkeep) -> None:
        await tools.jobs.drop_dataset(f"{tools.platform.project}.{tools.platform.dataset_raw}")

    here.with_tools(drop)


def rebuilt(here: Place, *arguments: str, code: int = 0) -> Any:
    dataset = here.world.environment["EYDP_DATASET_RAW"]
    return here.world.eydp("rebuild", "--dataset", dataset, *arguments, code=code)


def datasets(here: Place) -> list[str]:
    """The rebuilt datasets that are there."""

    async def names(tools: Upkeep) -> list[str]:
        found = [each.dataset_id for each in tools.bigquery.list_datasets(timeout=20)]
        return [name for name in found if name.startswith(f"{tools.platform.dataset_raw}_rebuild")]

    return here.with_tools(names)


def test_a_dropped_dataset_comes_back_from_the_raw_zone(here: Place) -> None:
    filled(here)
    products = here.rows("select * from {raw}.Products order by id")
    users = here.rows("select * from {raw}.Users order by id")
    before = events(here)
    assert len(products) == 20
    dropped(here)
    assert "is not the raw dataset" in here.world.eydp("rebuild", "--dataset", "other", code=2).err
    told = rebuilt(here, "--apply").out
    assert here.rows("select * from {raw}.Products order by id") == products
    assert here.rows("select * from {raw}.Users order by id") == users
    assert events(here) == before[1:], "each event once"
    assert [row["quarantine_id"] for row in here.rows("select quarantine_id from {raw}.quarantine")] == ["m1"]
    audit = here.rows("select entity, loaded_count, outcome from {raw}.load_audit order by entity")
    assert [(row["entity"], row["loaded_count"], row["outcome"]) for row in audit] == [
        ("products", 20, "loaded"),
        ("rebuild", None, "loaded"),
        ("users", 10, "loaded"),
    ]
    assert "swapped: Products, Users, carts_events" in told
    assert "quarantine_actions is empty" in told
    assert datasets(here) == []
    partitioned = here.with_tools(lambda tools: tools.jobs.described(tools.platform.raw_table("carts_events")))
    assert partitioned is not None
    assert partitioned["timePartitioning"]["field"] == "observed_at"
    assert "expirationTime" not in partitioned


@pytest.mark.long
def test_a_rebuild_tells_what_differs_and_swaps_only_what_it_may(here: Place) -> None:
    filled(here)
    here.world.eydp("replay", "--entity", "quarantine", "--from", "2026-11-20", "--to", "2026-11-20")
    same = rebuilt(here, "--json").json
    assert {
        each["table"]: (each["lost"], each["gained"], each["changed"]) for each in same["comparisons"]
    } == dict.fromkeys(
        ("Products", "Users", "carts_events", "quarantine", "quarantine_actions", "load_audit"), (0, 0, 0)
    )
    assert all(each["old_checksum"] == each["new_checksum"] for each in same["comparisons"])
    assert datasets(here) == []

    # A row that the raw zone does not hold, one that is another, and a line that has no row.
    here.appended([message(cart(50))], "gone", taken=LONG_AGO)
    here.archived([message(cart(60))], sequence=2)
    here.with_tools(
        lambda tools: tools.jobs.statement(
            f"UPDATE `{tools.platform.raw_table('carts_events')}` SET total_items = 77 WHERE cart_id = 2",  # noqa: S608 - a table of the test's own
            [],
            job_id=f"spoil_{tools.run_id}",
        )
    )
    told = rebuilt(here, "--apply", code=65)
    for word in ("lost", "gained", "changed"):
        assert f"carts_events: {word} " in told.out
    assert len(datasets(here)) == 1, "for a look at what differs"
    assert [row["cart_id"] for row in events(here)] == [0, 0, 1, 2, 3, 50]
    rebuilt(here, "--apply", "--accept-differences")
    assert [row["cart_id"] for row in events(here)] == [0, 1, 2, 3, 60]
    assert [row["total_items"] for row in events(here)] == [5] * 5


@pytest.mark.long
def test_a_rebuild_waits_for_rows_that_were_just_streamed(here: Place) -> None:
    name = here.archived([message(cart(1))])
    here.appended([message(cart(1))], name, taken=datetime.now(UTC))
    assert "stop the consumers and wait" in rebuilt(here, "--apply", code=75).err
    assert datasets(here) == []
    rebuilt(here, "--apply", "--despite-young-rows")
    assert [row["cart_id"] for row in events(here)] == [1]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_marts_of_a_rebuilt_dataset_are_the_same(here: Place) -> None:
    environment = here.world.environment
    run(environment, "batch_ingest")
    run(environment, "carts_poller", "--once")
    run(environment, "carts_consumer", "--until-idle")
    run(environment, "dbt_job", "build")
    marts = environment["EYDP_DATASET_ANALYTICS"]
    names = ("dim_products", "dim_users", "fact_orders")

    def held() -> dict[str, list[dict[str, Any]]]:
        return {name: here.rows(f"select * from {marts}.{name} order by 1, 2, 3") for name in names}  # noqa: S608 - names of the test's own

    before = held()
    here.world.eydp("verify")
    dropped(here)
    rebuilt(here, "--apply")
    run(environment, "dbt_job", "build")
    here.world.eydp("verify")
    assert held() == before
