"""A client whose channel can't connect is made anew; one that can, or is idle, is left alone."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from dataplatform.channel import Renewable
from support.clock import FakeClock

_STATE = grpc.ChannelConnectivity


@dataclass
class Client:
    """Its own transport and channel, in a state that the test chooses."""

    number: int
    state: Any
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def transport(self) -> "Client":
        return self

    @property
    def grpc_channel(self) -> "Client":
        return self

    def get_state(self) -> Any:
        return self.state

    async def close(self) -> None:
        self.closed.set()

    def name(self) -> str:
        return f"client {self.number}"


async def _watched(states: list[Any], seconds: int) -> tuple[Renewable, list[Client], int]:
    """Return the client after so many seconds, and how often it was looked at.

    The n-th client that is made has the n-th state, further ones the last.
    """
    made: list[Client] = []

    def make() -> Client:
        made.append(Client(len(made), states[min(len(made), len(states) - 1)]))
        return made[-1]

    clock = FakeClock()
    client = Renewable(make, clock)
    end = clock.monotonic() + seconds
    task = asyncio.create_task(client.run())
    async with asyncio.timeout(20):
        while clock.monotonic() < end:  # noqa: ASYNC110 - the clock moves by itself
            await asyncio.sleep(0)
    task.cancel()
    return client, made, clock.sleeps.count(1.0)


@pytest.mark.parametrize("state", [_STATE.READY, _STATE.IDLE])
async def test_a_client_that_is_connected_or_idle_is_kept(state: Any) -> None:
    client, made, _ = await _watched([state], 60)
    assert (len(made), client.generation) == (1, 0)


@pytest.mark.parametrize("state", [_STATE.CONNECTING, _STATE.TRANSIENT_FAILURE])
async def test_a_client_that_can_not_connect_is_made_anew_and_the_next_one_is_used(state: Any) -> None:
    client, made, _ = await _watched([state, _STATE.READY], 30)
    assert (len(made), client.generation, client.name()) == (2, 1, "client 1")
    async with asyncio.timeout(20):
        await made[0].closed.wait()
    assert not made[1].closed.is_set()


async def test_a_long_outage_makes_a_client_every_few_seconds() -> None:
    client, made, looks = await _watched([_STATE.TRANSIENT_FAILURE], 2_000)
    assert len(made) == client.generation + 1 == looks // 4 + 1 > 5
