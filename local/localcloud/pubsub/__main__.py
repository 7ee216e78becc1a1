"""Run the emulator: `python -m localcloud.pubsub --port 8085 --rest-port 8086 --admin-port 8087`."""

import os
import sys

_ALLOCATOR = "PYTHONMALLOC"


def _with_system_allocator() -> None:
    """Start this program anew on the system's allocator, unless an allocator was chosen.

    Python's own keeps an arena of 1 MiB alive for a single object in it: after a backlog of 200,000 messages
    was acknowledged, the process held 190 MiB. The system's can give back single pages: it held 95 MiB.
    """
    if _ALLOCATOR not in os.environ:
        os.execve(sys.executable, sys.orig_argv, {**os.environ, _ALLOCATOR: "malloc"})  # noqa: S606 - this program


if __name__ == "__main__":
    _with_system_allocator()
    # What goes wrong is said once, by this program: gRPC would log a taken port in its own way before it.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")

    from localcloud.pubsub.command import main

    sys.exit(main())
