"""Whether an emulator that goes away ends the run."""

import socket
import threading

import pytest

from dbt_job.watch import Watch

WAIT_SECONDS = 30.0


def test_a_run_is_interrupted_when_its_warehouse_is_gone() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen: nobody answers there, and nobody else can take the port
        port = taken.getsockname()[1]
        watch = Watch(f"http://127.0.0.1:{port}", interval_seconds=0.01, refusals=3)
        with pytest.raises(KeyboardInterrupt), watch.running():
            threading.Event().wait(WAIT_SECONDS)
    assert watch.lost
    assert str(port) in watch.lost


def test_a_run_is_left_alone_while_its_warehouse_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        watch = Watch(f"http://127.0.0.1:{server.getsockname()[1]}", interval_seconds=0.01, refusals=1)
        with watch.running():
            # Several looks, each of which connects.
            for _ in range(5):
                server.accept()[0].close()
    assert watch.lost is None
