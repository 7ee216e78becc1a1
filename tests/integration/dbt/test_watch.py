"""Whether an emulator that goes away ends the run."""

import socket
import threading

import pytest

from dbt_job.watch import Watch

WAIT_SECONDS = 30.0


def test_a_run_is_interrupted_when_its_warehouse_is_gone(unused_tcp_port: int) -> None:
    watch = Watch(f"http://127.0.0.1:{unused_tcp_port}", interval_seconds=0.01, refusals=3)
    with pytest.raises(KeyboardInterrupt), watch.running():
        threading.Event().wait(WAIT_SECONDS)
    assert watch.lost
    assert str(unused_tcp_port) in watch.lost


def test_a_run_is_left_alone_while_its_warehouse_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        watch = Watch(f"http://127.0.0.1:{server.getsockname()[1]}", interval_seconds=0.01, refusals=1)
        with watch.running():
            # Several looks, each of which connects.
            for _ in range(5):
                server.accept()[0].close()
    assert watch.lost is None
