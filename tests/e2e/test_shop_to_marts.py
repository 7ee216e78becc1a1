"""From the shop's API to the marts, with the real programs, while the shop changes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from localcloud.fakestore.client import FakeStoreAdmin
from support import golden
from support.programs import own_names, run, start, until
from support.pubsub import rows


@pytest.fixture
def shop() -> Iterator[str]:
    """A shop of this test's own, because the test changes it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "localcloud.fakestore", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        yield "http://" + process.stdout.readline().split()[-1]
        process.terminate()
        assert process.wait(timeout=10) == 0


@pytest.fixture
def environment(stack_env: Mapping[str, str], shop: str, tmp_path: Path) -> dict[str, str]:
    return {
        **own_names(stack_env),
        "EYDP_SOURCE_URL": shop,
        "EYDP_POLLER_INTERVAL_SECONDS": "0.5",
        "EYDP_DBT_TARGET_PATH": str(tmp_path / "dbt"),
        "HOME": str(tmp_path),
    }


def _figures(environment: Mapping[str, str], cwd: Path) -> dict[str, dict[str, Any]]:
    """Run `eydp verify`, which fails on any difference, and return its figures."""
    done = run(environment, "eydp", "verify", "--json", cwd=str(cwd))
    return {check["figure"]: check for check in json.loads(done.stdout)}


def _events(environment: Mapping[str, str]) -> int:
    return int(rows(environment, "select count(distinct event_id) as n from {raw}.carts_events")[0]["n"])


async def _change(shop: str) -> None:
    """Change a cart, delete one, add a product, and a cart that has it."""
    async with aiohttp.ClientSession() as session:
        admin = FakeStoreAdmin(shop, session)
        await admin.patch("carts", 1, products=[{"productId": 1, "quantity": 5}])
        await admin.delete("carts", 7)
        await admin.put(
            "products",
            {"id": 21, "title": "Lamp", "price": 10.5, "category": "electronics", "description": "", "image": ""},
        )
        await admin.put(
            "carts",
            {"id": 8, "userId": 2, "date": "2020-03-05T00:00:00.000Z", "products": [{"productId": 21, "quantity": 3}]},
        )


@pytest.mark.timeout(600)
async def test_every_change_of_the_shop_reaches_the_marts_exactly_once(
    environment: dict[str, str], shop: str, tmp_path: Path
) -> None:
    run(environment, "eydp", "provision", cwd=str(tmp_path))
    poller, consumer = start(environment, "carts_poller"), start(environment, "carts_consumer")
    try:
        run(environment, "batch_ingest")
        until(lambda: _events(environment) == golden.CARTS, "the arrival of the first events")
        run(environment, "dbt_job", "build", cwd=str(tmp_path))
        before = _figures(environment, tmp_path)

        await _change(shop)
        until(lambda: _events(environment) == golden.CARTS + 3, "the arrival of the changes")
        run(environment, "batch_ingest")
    finally:
        endings = {}
        for process in (poller, consumer):
            os.kill(process.pid, signal.SIGTERM)
            output, _ = process.communicate(timeout=40)
            endings[process.args[2] if isinstance(process.args, list) else ""] = (process.returncode, output)
    assert {name: code for name, (code, _) in endings.items()} == {"carts_poller": 0, "carts_consumer": 0}, endings
    run(environment, "dbt_job", "build", cwd=str(tmp_path))
    after = _figures(environment, tmp_path)

    assert before["products"]["marts"] == str(golden.PRODUCTS)
    assert before["users"]["marts"] == str(golden.USERS)
    assert before["order lines"]["marts"] == str(golden.LINES)
    assert before["items"]["marts"] == str(golden.ITEMS)
    assert before["revenue"]["marts"] == str(golden.REVENUE)
    assert {n: before[f"cart {n}: value"]["marts"] for n in golden.VALUE_BY_CART} == {
        n: str(value) for n, value in golden.VALUE_BY_CART.items()
    }
    assert after["products"]["marts"] == "21"
    assert after["cart events"]["marts"] == "10"
    assert after["carts"]["marts"] == "7"
    assert after["cart 1: value"]["marts"] == "549.75"
    assert "cart 7: value" not in after
    assert after["cart 8: value"]["marts"] == "31.50"
