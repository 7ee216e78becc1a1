"""A person whom nobody else resembles, and a search of every store for the person."""

import asyncio
import base64
import gzip
import hashlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from eydp.replay.wiring import Upkeep
from support.upkeep import Place


@contextmanager
def shop(*arguments: str) -> Iterator[str]:
    """Serve a shop of the caller's own; yield its address."""
    command = [sys.executable, "-m", "localcloud.fakestore", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://{process.stdout.readline().split()[-1]}"
        finally:
            process.terminate()


def put(address: str, record: dict[str, Any]) -> None:
    """Let the shop have a user."""
    _ask("POST", f"{address}/_admin/users", record)


def remove(address: str, number: int) -> None:
    """Let the shop have the user no longer."""
    _ask("DELETE", f"{address}/_admin/users/{number}", None)


def _ask(method: str, address: str, body: Any) -> None:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "test"}
    request = urllib.request.Request(address, data, headers, method=method)  # noqa: S310 - the shop's own address
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - likewise


def person(number: int, mark: str) -> dict[str, Any]:
    """A user with a marker in every field."""
    return {
        "id": number,
        "email": f"Mail-{mark}@example.com",
        "username": f"user-{mark}",
        "password": f"secret-{mark}",
        "name": {"firstname": f"first-{mark}", "lastname": f"last-{mark}"},
        "phone": f"phone-{mark}",
        "address": {
            "city": f"city-{mark}",
            "street": f"street-{mark}",
            "number": 918_273_645,
            "zipcode": f"zip-{mark}",
            "geolocation": {"lat": f"lat-{mark}", "long": f"long-{mark}"},
        },
        "nickname": f"unknown-{mark}",
        "__v": 0,
    }


def found(here: Place, mark: str) -> list[str]:
    """Return every place of bucket and datasets that tells of the person: objects and tables, what is packed opened."""
    email = hashlib.sha256(f"mail-{mark}@example.com".encode()).hexdigest()
    needles = [mark.encode(), b"918273645", email.encode()]

    async def look(tools: Upkeep) -> list[str]:
        bucket = tools.storage.bucket(tools.platform.bucket_name)
        places = {
            f"object {blob.name}": blob.name.encode() + _opened(blob.download_as_bytes(raw_download=True))
            for blob in tools.storage.list_blobs(bucket)
        }
        raw = tools.platform.dataset_raw
        for dataset in [each.dataset_id for each in tools.bigquery.list_datasets(timeout=30)]:
            if not dataset.startswith(raw) and dataset != tools.platform.dataset_analytics:
                continue
            for table in tools.bigquery.list_tables(dataset, timeout=30):
                sql = (
                    f"select to_json_string(t) as line from `{tools.platform.project}.{dataset}.{table.table_id}` as t"  # noqa: S608 - names of the test's own
                )
                rows = await tools.jobs.warehouse.query(sql)
                places[f"table {table.table_id}"] = b"\n".join(_with_decoded(row["line"].encode()) for row in rows)
        return sorted(name for name, text in places.items() if any(needle in text for needle in needles))

    return here.with_tools(look)


def _opened(data: bytes) -> bytes:
    text = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    return b"\n".join(_with_decoded(line) for line in text.splitlines())


def _with_decoded(line: bytes) -> bytes:
    """Return a line and what its base64 fields hold."""
    try:
        fields = json.loads(line)
    except ValueError:
        return line
    if not isinstance(fields, dict):
        return line
    packed = [fields.get("payload_base64"), fields.get("original")]
    return b"\n".join([line, *(base64.b64decode(each) for each in packed if isinstance(each, str))])


def load(day: str, *arguments: str) -> None:
    """Load the users of the shop under the name of a day, in this process."""
    from batch_ingest.main import main

    assert main(["--entity", "users", "--date", day, "--from-source", *arguments]) == 0


def users(here: Place) -> list[int]:
    """Return the ids that the table of users has."""
    return [row["id"] for row in here.rows("select id from {raw}.Users order by id")]


def run_sync(here: Place, sql: str) -> None:
    """Run a statement; `{marts}` stands for the dataset of the marts."""

    async def work(tools: Upkeep) -> None:
        marts = f"{tools.platform.project}.{tools.platform.dataset_analytics}"
        await asyncio.to_thread(lambda: tools.bigquery.query_and_wait(sql.replace("{marts}", marts)))

    here.with_tools(work)
