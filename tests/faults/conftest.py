"""A world for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localcloud.state import StackState

from .world import World, opened

#: Small batches that are flushed at once, and leases as short as may be, so that survivors need not wait long.
_QUICK = {
    "EYDP_CONSUMER_LEASE_SECONDS": "10",
    "EYDP_CONSUMER_FLUSH_MAX_ROWS": "100",
    "EYDP_CONSUMER_FLUSH_MAX_AGE_SECONDS": "0.2",
}


@pytest.fixture
async def quick_world(stack: StackState, tmp_path: Path) -> AsyncIterator[World]:
    """The stack with names of the test's own; consumers flush small batches."""
    async with opened(stack, tmp_path, _QUICK) as world:
        yield world


@pytest.fixture
async def world(stack: StackState, tmp_path: Path) -> AsyncIterator[World]:
    """The stack with names of the test's own; consumers have the settings that they have in production."""
    async with opened(stack, tmp_path, {}) as world:
        yield world
