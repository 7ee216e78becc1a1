"""A port for a program that can't choose its own."""

from localcloud.ports import Ports, choose


def free_port() -> int:
    """Return a free port of 127.0.0.1 that no outgoing connection takes meanwhile: systems hand out higher ones."""
    return choose(Ports()).source
