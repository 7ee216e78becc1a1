"""The stack's ports: fixed ones are checked, the others are chosen among free ones."""

import errno
import random
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path

from dataplatform.errors import ConfigurationError

HOST = "127.0.0.1"

_CHOICE = range(20_000, 30_000)
"""Below the ports that systems hand to outgoing connections, so that none of those takes a port chosen here."""

_ATTEMPTS = 200
_LISTENING = "0A"


class PortTakenError(ConfigurationError):
    """A fixed port can't be bound."""


@dataclass(frozen=True, slots=True)
class Ports:
    """One port for each server of the stack; 0 asks for a free one."""

    source: int = 0
    pubsub: int = 0
    pubsub_rest: int = 0
    pubsub_admin: int = 0
    storage: int = 0
    bigquery: int = 0
    bigquery_grpc: int = 0


def option(name: str) -> str:
    """Return the command line option that fixes the port called `name`."""
    return f"--port-{name.replace('_', '-')}"


def choose(wanted: Ports) -> Ports:
    """Return `wanted` with a free port for each 0.

    The ports are free now; whoever binds one before its server does makes that server fail.

    Raises:
        PortTakenError: A fixed port is taken, not allowed, or given twice.
    """
    taken: dict[int, str] = {}
    for name, port in _named(wanted):
        if port == 0:
            continue
        if port in taken:
            raise PortTakenError(f"Port {port} is given twice, by {option(taken[port])} and {option(name)}.")
        _check(name, port)
        taken[port] = name
    chosen = {}
    for name, port in _named(wanted):
        if port == 0:
            chosen[name] = _free(taken)
            taken[chosen[name]] = name
    return replace(wanted, **chosen)


def _named(ports: Ports) -> Iterator[tuple[str, int]]:
    return ((field.name, getattr(ports, field.name)) for field in fields(ports))


def _check(name: str, port: int) -> None:
    try:
        _bind(port)
    except (OSError, OverflowError) as error:
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise PortTakenError(
                f"Port {port} is taken by {holder(port)}: give {option(name)} another one, or leave it out."
            ) from error
        raise PortTakenError(f"Port {port} of {option(name)} can't be bound: {error}.") from error


def _free(taken: dict[int, str]) -> int:
    for port in random.SystemRandom().sample(_CHOICE, _ATTEMPTS):
        if port not in taken:
            with suppress(OSError):
                _bind(port)
                return port
    raise PortTakenError(f"No free port was found between {_CHOICE.start} and {_CHOICE.stop - 1}.")


def _bind(port: int) -> None:
    with socket.socket() as probe:
        # Servers set it too: without it a port counts as taken for a minute after its last connection.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))


def holder(port: int) -> str:
    """Say who listens on `port`, as far as this user may know."""
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for process in Path("/proc").glob("[0-9]*"):
        # A process may end, or belong to someone else.
        with suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                if inodes and str(descriptor.readlink()) in inodes:
                    command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    return f"process {process.name} ({command.strip()[:120]})"
    return "another program, perhaps a stack of another checkout"


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]:
                columns = line.split()
                if columns[3] == _LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
                    yield columns[9]
