"""The raw zone against the Cloud Storage emulator: objects are created once, state is replaced by generation."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from google.api_core.exceptions import NotFound

from dataplatform.clients import storage_client
from dataplatform.clock import SystemClock
from dataplatform.errors import InvalidDataError, UnavailableError
from dataplatform.rawzone import RawZone
from dataplatform.retry import Retrier, RetryPolicy
from dataplatform.settings import EmulatorSettings, PlatformSettings


def zone_of(client: Any, bucket: str, deadline_seconds: float = 30) -> RawZone:
    retrier = Retrier(RetryPolicy(deadline_seconds, initial_seconds=0.05), SystemClock())
    return RawZone(client, bucket, retrier, timeout_seconds=10)


@pytest.fixture
def client(stack_env: Mapping[str, str]) -> Any:
    """The client that the programs use."""
    return storage_client(
        PlatformSettings(project=stack_env["EYDP_PROJECT"]),
        EmulatorSettings(storage_emulator_host=stack_env["STORAGE_EMULATOR_HOST"]),
    )


@pytest.fixture
def bucket(client: Any) -> str:
    """A bucket of the test's own."""
    name = f"rawzone-{uuid4().hex[:12]}"
    client.create_bucket(name, timeout=10, retry=None)
    return name


@pytest.fixture
def zone(client: Any, bucket: str) -> RawZone:
    return zone_of(client, bucket)


async def test_an_object_is_created_once_and_again_is_a_no_op(zone: RawZone) -> None:
    assert await zone.create("a/1.jsonl.gz", b"one") is True
    first = await zone.read("a/1.jsonl.gz")
    assert await zone.create("a/1.jsonl.gz", b"one") is False
    assert await zone.read("a/1.jsonl.gz") == first


async def test_an_object_is_never_changed(zone: RawZone) -> None:
    await zone.create("a/1.jsonl.gz", b"one")
    with pytest.raises(InvalidDataError, match=r"^gs://rawzone-\w+/a/1\.jsonl\.gz exists with other content"):
        await zone.create("a/1.jsonl.gz", b"two")
    found = await zone.read("a/1.jsonl.gz")
    assert found
    assert found.data == b"one"


async def test_of_many_who_create_one_object_one_does(zone: RawZone) -> None:
    outcomes = await asyncio.gather(*(zone.create("race", b"same") for _ in range(8)))
    assert sorted(outcomes) == [False] * 7 + [True]


async def test_an_object_keeps_its_metadata_and_type(zone: RawZone, client: Any, bucket: str) -> None:
    await zone.create("a", b"\x1f\x8b", metadata={"count": "3", "schema_version": "1"})
    blob = client.bucket(bucket).get_blob("a", timeout=10, retry=None)
    assert blob.metadata == {"count": "3", "schema_version": "1"}
    assert blob.content_type == "application/gzip"


async def test_any_bytes_are_read_as_they_were_written(zone: RawZone) -> None:
    data = bytes(range(256)) * 5000
    await zone.create("bytes", data)
    await zone.create("empty", b"")
    found, empty = await zone.read("bytes"), await zone.read("empty")
    assert found
    assert empty
    assert (found.data, empty.data) == (data, b"")


async def test_an_object_that_is_not_there_is_none(zone: RawZone) -> None:
    assert await zone.read("nothing") is None


async def test_state_is_replaced_by_whoever_knows_its_generation(zone: RawZone) -> None:
    first = await zone.replace("_state/x", b"1", generation=0)
    assert first
    second = await zone.replace("_state/x", b"2", generation=first)
    assert second
    assert second != first
    found = await zone.read("_state/x")
    assert found
    assert (found.data, found.generation) == (b"2", second)


async def test_state_is_not_replaced_over_a_write_that_was_not_seen(zone: RawZone) -> None:
    first = await zone.replace("_state/x", b"1", generation=0)
    assert first
    await zone.replace("_state/x", b"2", generation=first)
    assert await zone.replace("_state/x", b"3", generation=first) is None
    assert await zone.replace("_state/x", b"3", generation=0) is None
    found = await zone.read("_state/x")
    assert found
    assert found.data == b"2"


async def test_of_many_who_replace_one_state_one_does(zone: RawZone) -> None:
    first = await zone.replace("_state/x", b"1", generation=0)
    assert first
    outcomes = await asyncio.gather(*(zone.replace("_state/x", b"%d" % n, generation=first) for n in range(8)))
    assert len([outcome for outcome in outcomes if outcome]) == 1


async def test_names_are_those_below_the_prefix_in_order(zone: RawZone) -> None:
    for name in ("b/2", "b/1", "c/1", "b2/1", "a"):
        await zone.create(name, b"x")
    assert await zone.names("b/") == ["b/1", "b/2"]
    assert await zone.names("nothing/") == []
    assert await zone.names("") == ["a", "b/1", "b/2", "b2/1", "c/1"]


async def test_a_bucket_that_is_missing_is_told_at_once(client: Any) -> None:
    zone = zone_of(client, f"missing-{uuid4().hex[:12]}")
    with pytest.raises(NotFound):
        await zone.create("a", b"x")


async def test_storage_that_does_not_answer_is_unavailable_after_the_deadline() -> None:
    client = storage_client(
        PlatformSettings(project="shop"), EmulatorSettings(storage_emulator_host="http://127.0.0.1:9")
    )
    with pytest.raises(UnavailableError, match=r"^writing gs://b/a failed \d+ times, last with: "):
        await zone_of(client, "b", deadline_seconds=0.3).create("a", b"x")
