"""Free and fixed ports; sockets are real, and only looked at."""

import os
import socket
from collections.abc import Iterator
from dataclasses import astuple, fields

import pytest

from localcloud.ports import Ports, PortTakenError, choose, holder, option


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_free_port_is_chosen_for_each_server() -> None:
    chosen = astuple(choose(Ports()))

    assert len(set(chosen)) == len(fields(Ports))
    for port in chosen:
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_fixed_ports_stay_as_they_are() -> None:
    free = choose(Ports()).bigquery

    chosen = choose(Ports(bigquery=free))

    assert chosen.bigquery == free
    assert astuple(chosen).count(free) == 1


def test_a_taken_port_is_named_with_its_option_and_its_holder(listener: socket.socket) -> None:
    port = listener.getsockname()[1]

    with pytest.raises(PortTakenError) as refused:
        choose(Ports(bigquery_grpc=port))

    sentence = str(refused.value)
    assert sentence.startswith(f"Port {port} is taken by process {os.getpid()} (")
    assert "--port-bigquery-grpc" in sentence
    assert "\n" not in sentence


def test_a_port_given_twice_is_refused() -> None:
    port = choose(Ports()).source

    with pytest.raises(PortTakenError, match=r"twice, by --port-source and --port-storage"):
        choose(Ports(source=port, storage=port))


@pytest.mark.parametrize("port", [-1, 65_536, 10**9])
def test_a_number_that_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(PortTakenError, match=rf"Port {port} of --port-source"):
        choose(Ports(source=port))


def test_nobody_known_holds_a_free_port() -> None:
    assert holder(choose(Ports()).source).startswith("another program")


def test_options_are_written_with_hyphens() -> None:
    assert option("pubsub_rest") == "--port-pubsub-rest"
