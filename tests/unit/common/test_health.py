"""The health server, asked over HTTP: liveness follows progress, readiness follows named conditions."""

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from dataplatform.errors import ConfigurationError
from dataplatform.health import Health, HealthServer
from dataplatform.metrics import PollerMetrics
from support.clock import FakeClock


@dataclass
class Program:
    """A program as a probe sees it."""

    clock: FakeClock = field(default_factory=FakeClock)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    address: str = ""

    def __post_init__(self) -> None:
        self.health = Health(self.clock, stalled_after_seconds=30, conditions=["bucket", "topic"])

    async def get(self, route: str) -> tuple[int, Any]:
        async with aiohttp.ClientSession() as session, session.get(self.address + route) as response:
            is_json = response.content_type == "application/json"
            return response.status, await response.json() if is_json else await response.text()


@pytest.fixture
async def program() -> AsyncIterator[Program]:
    it = Program()
    async with HealthServer(it.health, it.registry, host="127.0.0.1", port=0) as server:
        it.address = f"http://127.0.0.1:{server.port}"
        yield it


async def test_a_program_is_live_as_long_as_its_loop_moves(program: Program) -> None:
    program.clock.advance(30)
    assert await program.get("/livez") == (200, {"live": True, "reason": ""})
    program.clock.advance(1)
    assert await program.get("/livez") == (503, {"live": False, "reason": "no progress for 31 s"})
    program.health.progress()
    assert (await program.get("/livez"))[0] == 200


async def test_a_program_is_not_ready_until_every_condition_is_up(program: Program) -> None:
    assert await program.get("/readyz") == (
        503,
        {"ready": False, "reasons": {"bucket": "starting", "topic": "starting"}},
    )
    program.health.up("bucket")
    assert (await program.get("/readyz"))[1]["reasons"] == {"topic": "starting"}
    program.health.up("topic")
    assert await program.get("/readyz") == (200, {"ready": True, "reasons": {}})


async def test_a_condition_that_goes_down_tells_why(program: Program) -> None:
    program.health.up("bucket")
    program.health.up("topic")
    program.health.down("topic", "the topic is gone")
    assert await program.get("/readyz") == (503, {"ready": False, "reasons": {"topic": "the topic is gone"}})


async def test_a_condition_that_is_down_without_a_reason_is_down_all_the_same(program: Program) -> None:
    program.health.up("bucket")
    program.health.up("topic")
    program.health.down("topic", "")
    assert (await program.get("/readyz"))[0] == 503


async def test_a_dependency_that_is_down_does_not_get_the_process_restarted(program: Program) -> None:
    program.health.down("topic", "the topic is gone")
    assert (await program.get("/livez"))[0] == 200


async def test_a_stalled_program_is_not_ready_either(program: Program) -> None:
    program.health.up("bucket")
    program.health.up("topic")
    program.clock.advance(31)
    assert await program.get("/readyz") == (503, {"ready": False, "reasons": {"progress": "no progress for 31 s"}})


async def test_metrics_are_served_in_the_format_that_prometheus_reads(program: Program) -> None:
    PollerMetrics(program.registry).events.labels("cart_created").inc(3)
    status, text = await program.get("/metrics")
    assert status == 200
    assert 'poller_events_total{type="cart_created"} 3.0' in text
    assert text.endswith("# EOF\n")


async def test_a_port_that_is_taken_is_one_sentence_that_names_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = HealthServer(Program().health, CollectorRegistry(), host="127.0.0.1", port=port)
        with pytest.raises(ConfigurationError, match=rf"^port {port} on 127\.0\.0\.1 is taken: .*EYDP_METRICS_PORT"):
            await server.__aenter__()


async def test_an_address_of_another_machine_is_not_called_a_taken_port() -> None:
    server = HealthServer(Program().health, CollectorRegistry(), host="192.0.2.1", port=0)
    with pytest.raises(ConfigurationError, match=r"^cannot listen on .*EYDP_METRICS_HOST"):
        await server.__aenter__()


async def test_the_port_is_free_again_afterwards() -> None:
    async with HealthServer(Program().health, CollectorRegistry(), host="127.0.0.1", port=0) as server:
        port = server.port
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) != 0
