"""What the raw zone relies on in the Cloud Storage emulator: an object is created once, by one writer."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from google.api_core.exceptions import PreconditionFailed
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from localcloud.state import StackState

SECONDS = 30.0


@pytest.fixture(scope="module")
def bucket(stack: StackState) -> Iterator[storage.Bucket]:
    options = {"api_endpoint": stack.endpoints["storage"]}
    with closing(
        storage.Client(project=stack.project, credentials=AnonymousCredentials(), client_options=options)
    ) as client:
        yield client.create_bucket(f"raw-{uuid.uuid4().hex}", timeout=SECONDS)


def create(bucket: storage.Bucket, name: str, data: bytes) -> None:
    bucket.blob(name).upload_from_string(data, if_generation_match=0, timeout=SECONDS)


def read(bucket: storage.Bucket, name: str) -> bytes:
    return bytes(bucket.blob(name).download_as_bytes(raw_download=True, timeout=SECONDS))


def test_an_object_that_must_not_exist_is_created(bucket: storage.Bucket) -> None:
    create(bucket, "new/dt=2026-11-24/one.jsonl.gz", b"first")

    assert read(bucket, "new/dt=2026-11-24/one.jsonl.gz") == b"first"


def test_an_object_that_exists_is_not_replaced(bucket: storage.Bucket) -> None:
    create(bucket, "once", b"first")

    with pytest.raises(PreconditionFailed):
        create(bucket, "once", b"second")

    assert read(bucket, "once") == b"first"


def test_of_many_writers_one_creates_the_object(bucket: storage.Bucket) -> None:
    def race(number: int) -> int | None:
        try:
            create(bucket, "race", str(number).encode())
        except PreconditionFailed:
            return None
        return number

    with ThreadPoolExecutor(16) as writers:
        winners = [number for number in writers.map(race, range(32)) if number is not None]

    assert len(winners) == 1
    assert read(bucket, "race") == str(winners[0]).encode()


def test_objects_keep_their_metadata(bucket: storage.Bucket) -> None:
    blob = bucket.blob("described")
    blob.metadata = {"count": "3", "schema_version": "1"}
    blob.content_encoding = "gzip"
    blob.upload_from_string(b"data", if_generation_match=0, timeout=SECONDS)

    found = bucket.get_blob("described", timeout=SECONDS)

    assert found is not None
    assert found.metadata == {"count": "3", "schema_version": "1"}
    assert found.size == 4
