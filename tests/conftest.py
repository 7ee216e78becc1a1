"""What all tests share: the embedded stack, started when the first test wants it, and the order of the files."""

from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.state import StackState
from support.order import Scheduling, seconds_of
from support.stack import running


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest; the others, and the tests within a file, keep their random order."""
    items.sort(key=lambda item: -seconds_of(item.nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling | None:
    """Keep the files of one build together, where tests are given out by file."""
    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackState]:
    """The running stack: its endpoints, ports, processes, environment.

    It runs in a process of its own, on free ports and a temporary folder, and ends with the session, even when the
    session is killed. All tests share it: give buckets, topics and datasets names of their own.
    """
    with running(tmp_path_factory.mktemp("stack")) as state:
        yield state


@pytest.fixture(scope="session")
def stack_env(stack: StackState) -> dict[str, str]:
    """The variables that make the platform's programs and Google's clients use the stack."""
    return dict(stack.environment)
