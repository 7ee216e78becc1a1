"""Load jobs on the BigQuery emulator."""

import gzip
import json
from typing import Any

import pytest
from google.api_core import exceptions as google

from dataplatform import schemas
from dataplatform.schemas import PRODUCTS

from .conftest import World

STAMP = {"source": "s", "run_id": "r", "ingested_at": "2026-11-24T06:00:00.000001Z", "raw_uri": "u"}


def row(number: int) -> dict[str, Any]:
    return {"id": number, "title": "Chair", "price": "12.50", "category": "seats", **STAMP, "payload": {"id": number}}


async def put(world: World, name: str, text: str) -> str:
    await world.zone.create(name, gzip.compress(text.encode(), mtime=0))
    return world.zone.uri(name)


async def load(world: World, uri: str, job_id: str, *, truncate: bool = False) -> tuple[str, int]:
    return await world.warehouse().load(
        [uri], world.platform.raw_table(PRODUCTS.name), PRODUCTS.columns, job_id=job_id, truncate=truncate
    )


@pytest.fixture
def job_id(world: World) -> str:
    return f"test_{world.platform.dataset_raw}"


async def test_an_append_that_is_repeated_doubles_nothing(world: World, job_id: str) -> None:
    uri = await put(world, "rows.gz", "\n".join(json.dumps(row(number)) for number in range(3)))

    assert [await load(world, uri, job_id) for _ in range(2)] == [(job_id, 3)] * 2
    assert [each["id"] for each in await world.rows("Products")] == [0, 1, 2]


async def test_rows_sent_with_their_job_are_there_once_however_often_they_are_sent(world: World, job_id: str) -> None:
    table = world.platform.raw_table(schemas.LOAD_AUDIT.name)
    sent = {
        "run_id": "r",
        "entity": "products",
        "logical_date": "2026-11-24",
        "started_at": "2026-11-24T06:00:00.000001Z",
        "finished_at": "2026-11-24T06:00:01.000001Z",
        "objects": ["a", "b"],
        "outcome": "loaded",
    }

    for _ in range(2):
        done = await world.warehouse().load_rows([sent], table, schemas.LOAD_AUDIT.columns, job_id=job_id)
        assert done == (job_id, 1)
    (found,) = await world.rows("load_audit")
    assert (found["objects"], found["logical_date"].isoformat()) == (["a", "b"], "2026-11-24")


async def test_a_load_that_bigquery_refuses_raises_at_once_and_leaves_the_rows_there_were(
    world: World, job_id: str
) -> None:
    await load(world, await put(world, "good.gz", json.dumps(row(1))), job_id)
    uri = await put(world, "bad.gz", json.dumps(row(2)) + "\n" + json.dumps({**row(3), "price": "free"}))

    for _ in range(2):
        with pytest.raises(google.BadRequest):
            await load(world, uri, f"{job_id}_bad", truncate=True)
    assert [each["id"] for each in await world.rows("Products")] == [1]


async def test_a_load_keeps_the_descriptions_of_the_table(world: World, job_id: str) -> None:
    await load(world, await put(world, "good.gz", json.dumps(row(1))), job_id, truncate=True)

    table = world.bigquery.get_table(world.platform.raw_table(PRODUCTS.name))
    assert {field.name: field.description for field in table.schema} == {
        column.name: column.description for column in PRODUCTS.columns
    }
