"""`eydp forget` on the embedded stack: no object and no row tells of the person any more, and nothing undoes it."""

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from eydp.forget import run as run_forget
from eydp.replay.wiring import Upkeep
from localcloud.state import StackState
from support import forgetting
from support.forgetting import found, load, person, put, users
from support.programs import run
from support.upkeep import Place, place

MARK = "zqxj7"
USER = 4711


@pytest.fixture(name="here")
def place_fixture(stack: StackState, stack_env: Mapping[str, str], tmp_path: Any) -> Iterator[Place]:
    with forgetting.shop() as address, place(stack, {**stack_env, "EYDP_SOURCE_URL": address}, tmp_path) as made:
        yield made


def address(here: Place) -> str:
    return here.world.environment["EYDP_SOURCE_URL"]


def history(here: Place) -> None:
    """Three days: the person came, moved, and was sent broken once; the others stay as they are."""
    put(address(here), person(USER, MARK))
    load("2026-11-18")
    put(address(here), {**person(USER, MARK), "phone": f"other-{MARK}"})
    load("2026-11-19")
    put(address(here), {**person(USER, MARK), "name": f"broken-{MARK}"})
    load("2026-11-20", "--allow", "too_many_invalid")
    put(address(here), person(USER, MARK))
    load("2026-11-21")


def forget(here: Place, monkeypatch: pytest.MonkeyPatch, *, margin: int = 0, code: int = 0) -> Any:
    monkeypatch.setenv("EYDP_REPLAY_ROW_MARGIN_SECONDS", str(margin))
    return here.world.eydp("forget", "--user", str(USER), "--json", code=code)


def marts(here: Place) -> None:
    """What dbt makes of the person, in short."""
    email = hashlib.sha256(f"mail-{MARK}@example.com".encode()).hexdigest()
    for name in ("snap_users", "dim_users"):
        forgetting.run_sync(
            here,
            f"create table {{marts}}.{name} as select 'fakestore:{USER}' as user_key, {USER} as user_id, "
            f"'{email}' as email_sha256, 'city-{MARK}' as city "
            "union all select 'fakestore:1', 1, 'b', 'kilcoole'",
        )


def test_a_person_is_in_no_object_and_in_no_row_and_does_not_come_back(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    history(here)
    marts(here)
    before = here.rows("select * except (raw_uri) from {raw}.Users order by id")
    assert len(found(here, MARK)) == 8, "three parts, quarantine, its table, the raw table and the marts"

    early = forget(here, monkeypatch, margin=3600, code=75)
    assert early.json["young"] == 1
    assert early.json["still_sent"]
    assert "come back after" in early.err
    left = found(here, MARK)
    assert [place.split("/")[0] for place in left] == ["object quarantine", "table quarantine"]

    done = forget(here, monkeypatch).json
    assert done["young"] == 0
    assert found(here, MARK) == []
    others = [row for row in before if row["id"] != USER]
    assert here.rows("select * except (raw_uri) from {raw}.Users order by id") == others
    named = {row["raw_uri"] for row in here.rows("select raw_uri from {raw}.Users")}
    assert named <= here.with_tools(_parts), "each row names an object that is there"
    keys = here.rows(f"select * from {here.world.environment['EYDP_DATASET_ANALYTICS']}.dim_users order by user_id")  # noqa: S608 - a name of the test's own
    assert [(row["user_key"], row["city"]) for row in keys] == [
        ("fakestore:1", "kilcoole"),
        (f"fakestore:{USER}", None),
    ]
    audit = here.rows("select * from {raw}.load_audit where entity = 'forget' order by finished_at")
    assert [(row["loaded_count"], row["outcome"]) for row in audit] == [(10, "loaded"), (10, "loaded")]
    assert str(USER) not in str([{**row, "job_ids": []} for row in audit])

    again = forget(here, monkeypatch).json
    assert (again["rewritten"], again["runs_changed"], again["rows"]) == (0, 0, {})
    # The shop sends the person still; and a load of the last day from the raw zone has the counts right.
    load("2026-11-22")
    assert users(here) == list(range(1, 11))
    assert found(here, MARK) == []


async def _parts(tools: Any) -> set[str]:
    return {tools.zone.uri(name) for name in await tools.zone.names("users/")}


@pytest.mark.long
@pytest.mark.timeout(900)
def test_neither_a_rebuild_nor_a_backfill_nor_dbt_brings_the_person_back(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = here.world.environment
    history(here)
    run(environment, "batch_ingest", "--entity", "products")
    run(environment, "carts_poller", "--once")
    run(environment, "carts_consumer", "--until-idle")
    run(environment, "dbt_job", "build")
    marts_name = environment["EYDP_DATASET_ANALYTICS"]
    revenue = here.rows(f"select sum(amount) as amount from {marts_name}.fact_orders")  # noqa: S608 - a name of the test's own
    assert "table snap_users" in found(here, MARK)
    forgetting.remove(address(here), USER)
    forget(here, monkeypatch)
    assert found(here, MARK) == []
    run(environment, "dbt_job", "build")
    assert here.rows(f"select sum(amount) as amount from {marts_name}.fact_orders") == revenue  # noqa: S608 - as above
    [member] = here.rows(f"select * from {marts_name}.dim_users where user_id = {USER}")  # noqa: S608 - as above
    assert (member["email_sha256"], member["city"], member["is_active"]) == (None, None, False)
    dataset = environment["EYDP_DATASET_RAW"]
    same = here.world.eydp("rebuild", "--dataset", dataset, "--json").json["comparisons"]
    assert all(each["old_checksum"] == each["new_checksum"] for each in same), same
    here.world.eydp("rebuild", "--dataset", dataset, "--apply", "--despite-young-rows")
    run(environment, "batch_ingest", "--entity", "users", "--date", "2026-11-18..2026-11-21", "--allow",
        "older_than_table", "--allow", "too_many_invalid")  # fmt: skip
    run(environment, "dbt_job", "build")
    assert found(here, MARK) == []
    here.world.eydp("verify")


class DiedError(Exception):
    """The run ends here, and nothing of it goes on."""


class Mortal:
    """Passes calls on to an object's methods, and dies before or after the write that is due."""

    def __init__(self, lives: list[int], target: Any) -> None:
        self._lives = lives
        self._target = target

    def __getattr__(self, name: str) -> Any:
        called = getattr(self._target, name)
        if name not in {"create", "replace", "delete", "statement", "load_rows", "drop_table"}:
            return called

        async def call(*args: Any, **options: Any) -> Any:
            if args and str(args[0]).endswith("lease.json"):
                return await called(*args, **options)
            self._spend()
            answer = await called(*args, **options)
            self._spend()
            return answer

        return call

    def _spend(self) -> None:
        self._lives[0] -= 1
        if self._lives[0] < 0:
            raise DiedError


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_killed_before_or_after_any_write_and_repeated_it_is_done(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EYDP_REPLAY_ROW_MARGIN_SECONDS", "0")
    load("2026-11-21")
    lives = 0
    while True:
        user, mark = USER + 1 + lives, f"{MARK}{lives}x"
        put(address(here), person(user, mark))
        load("2026-11-22", "--allow", "older_than_table")
        put(address(here), {**person(user, mark), "name": f"broken-{mark}"})
        load("2026-11-23", "--allow", "too_many_invalid", "--allow", "older_than_table")
        died = False
        try:
            here.with_tools(_mortal(lives, user))
        except DiedError:
            died = True
        forgetting.remove(address(here), user)
        here.world.eydp("forget", "--user", str(user))
        assert found(here, mark) == [], f"died at moment {lives}"
        if not died:
            break
        lives += 3
    assert lives > 20
    dataset = here.world.environment["EYDP_DATASET_RAW"]
    same = here.world.eydp("rebuild", "--dataset", dataset, "--json").json["comparisons"]
    users_same = [each for each in same if each["table"] in {"Users", "quarantine"}]
    assert all(each["old_checksum"] == each["new_checksum"] for each in users_same), same


def _mortal(lives: int, user: int) -> Callable[[Upkeep], Awaitable[run_forget.Report]]:
    async def work(tools: Upkeep) -> run_forget.Report:
        left = [lives]
        zone: Any = Mortal(left, tools.zone)
        bucket: Any = Mortal(left, tools.bucket)
        jobs: Any = Mortal(left, tools.jobs)
        weak = replace(tools, zone=zone, bucket=bucket, jobs=jobs)
        return await run_forget.forget(weak, "fakestore", user, lambda _: None)

    return work
