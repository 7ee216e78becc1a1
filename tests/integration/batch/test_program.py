"""The loader as a program: its exit codes, its sentences, and what it never lets out."""

import gzip
import json
from pathlib import Path

import pytest

from batch_ingest.entities import ENTITIES
from batch_ingest.main import main
from batch_ingest.verify import verify
from dataplatform.errors import ConfigurationError
from dataplatform.schemas import LOAD_AUDIT, PRODUCTS, PRODUCTS_LOAD, QUARANTINE, RAW_TABLES
from localcloud.state import StackState
from support import golden

from .conftest import Finished, World


def sentence(run: Finished) -> str:
    (line,) = run.errors.splitlines()
    return line.removeprefix("error: ")


async def test_it_loads_both_entities_and_tells_each_in_one_line(world: World, tmp_path: Path) -> None:
    world.extra["EYDP_BATCH_METRICS_FILE"] = str(tmp_path / "batch.prom")

    run = await world.program("--date", "2026-11-23", "--from-source")

    assert (run.code, run.errors) == (0, "")
    lines = [(line["message"], line["entity"], line["loaded"], line["logical_date"]) for line in run.logs]
    assert lines == [
        ("loaded", "products", golden.PRODUCTS, "2026-11-23"),
        ("loaded", "users", golden.USERS, "2026-11-23"),
    ]
    metrics = (tmp_path / "batch.prom").read_text(encoding="utf-8")
    assert f'batch_records_total{{entity="users",outcome="valid"}} {golden.USERS}.0' in metrics


async def test_a_password_is_in_no_file_no_table_and_no_output(world: World, stack: StackState) -> None:
    await world.shop.misbehave("wrong_types", routes="/users", at=0.0)  # the first user goes to quarantine
    good = await world.program()
    await world.shop.behave()
    await world.shop.misbehave("malformed", routes="/users")
    bad = await world.program("--entity", "users")
    await world.shop.behave()
    await world.shop.misbehave("duplicate_ids", routes="/users")
    refused = await world.program("--entity", "users")

    assert (good.code, bad.code, refused.code) == (0, 69, 65)
    kept = [run.out + run.errors for run in (good, bad, refused)]
    for table in RAW_TABLES:
        kept += [json.dumps(row, default=str) for row in await world.rows(table.name)]
    texts = [text.encode() for text in kept]
    for path in Path(stack.tools["BIGQUERYRC"]).parent.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            texts += [data, gzip.decompress(data)] if data.startswith(b"\x1f\x8b") else [data]
    assert sum(b"kilcoole" in text for text in texts) > 3  # it is where users are that it looks
    assert sum(b"quarantine_id" in text for text in texts) > 1
    assert [text[:80] for text in texts if golden.PASSWORD_MARK.encode() in text] == []


async def test_an_entity_that_fails_does_not_keep_the_other_from_its_load(world: World) -> None:
    await world.shop.misbehave("empty_list", routes="/products")

    run = await world.program()

    assert run.code == 65
    assert sentence(run).startswith("products were not loaded and the table is as it was (guard no_records)")
    assert [(line["message"], line["entity"]) for line in run.logs] == [("refused", "products"), ("loaded", "users")]
    assert len(await world.rows("Users")) == golden.USERS


@pytest.mark.long
async def test_a_past_day_comes_from_the_raw_zone_and_a_guard_is_overridden_by_its_name(world: World) -> None:
    day = ("--entity", "products", "--date", "2026-11-23")
    missing = await world.program(*day)
    await world.shop.misbehave("duplicate_ids", routes="/products")
    refused = await world.program(*day, "--from-source")
    await world.shop.misbehave("empty_list", routes="/products")
    loaded = await world.program(*day, "--allow", "duplicate_ids")

    assert (missing.code, refused.code, loaded.code) == (65, 65, 0)
    assert sentence(missing).startswith("the raw zone has no products of 2026-11-23, and the source has no past")
    assert "--allow duplicate_ids loads them nevertheless" in sentence(refused)
    rows = await world.rows("Products")
    assert len({row["id"] for row in rows}) == len(rows) > 10


async def test_without_a_bucket_it_says_so_and_how_to_mend_it(bare_world: World) -> None:
    run = await bare_world.program()

    assert run.code == 78
    assert sentence(run) == (
        f"bucket {bare_world.platform.bucket_name} does not exist: create it with `eydp provision`"
    )


@pytest.mark.parametrize("missing", [PRODUCTS, PRODUCTS_LOAD, QUARANTINE, LOAD_AUDIT], ids=lambda table: table.name)
async def test_a_missing_table_is_named_with_the_command_that_creates_it(world: World, missing: object) -> None:
    assert isinstance(missing, type(PRODUCTS))
    name = world.platform.raw_table(missing.name)
    world.bigquery.delete_table(name)

    with pytest.raises(ConfigurationError, match=f"table {name} does not exist: create it with `eydp provision`"):
        await verify(world.platform, [ENTITIES["products"]], world.storage, world.bigquery, world.retrier())


async def test_a_shop_that_nobody_serves_is_one_sentence(world: World, unused_tcp_port: int) -> None:
    world.extra["EYDP_SOURCE_URL"] = f"http://127.0.0.1:{unused_tcp_port}"

    run = await world.program("--entity", "products")

    assert run.code == 69
    assert f"GET http://127.0.0.1:{unused_tcp_port}/products failed" in sentence(run)


async def test_a_misspelt_setting_is_one_sentence(bare_world: World) -> None:
    bare_world.extra["EYDP_BATCH_PART_MAX_BITES"] = "5"

    run = await bare_world.program()

    assert run.code == 78
    assert "did you mean EYDP_BATCH_PART_MAX_BYTES?" in sentence(run)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--date", "24.11.2026"], "is not a day such as 2026-11-24"),
        (["--date", "2999-01-01"], "2999-01-01 is in the future"),
        (["--date", "2026-11-20..2026-11-19"], "ends before it begins"),
        (["--date", "2026-11-19..2026-11-20", "--from-source"], "the source has no past"),
        (["--allow", "everything"], "invalid choice: 'everything'"),
        (["--parallel", "0"], "'0' is not a number from 1 on"),
        (["--entity", "carts"], "invalid choice: 'carts'"),
    ],
    ids=["no date", "future", "backwards", "range from source", "no guard", "no days", "no entity"],
)
def test_a_wrong_argument_is_refused_without_any_settings(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


async def test_help_needs_no_settings(bare_world: World) -> None:
    bare_world.extra["EYDP_PROJECT"] = ""

    run = await bare_world.program("--help")

    assert (run.code, run.errors) == (0, "")
    assert "--entity" in run.out
