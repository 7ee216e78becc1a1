"""Run a command that the kernel ends when its parent dies: `die_with_parent.py PARENT_PID COMMAND…`.

A program of its own, run by file name: asking the kernel in a forked child, before exec, is not safe in a process that
has threads, and gRPC's clients have. It becomes the command, so that its process id is the command's. Only Linux
can do this; elsewhere the command outlives a parent that was killed.
"""

import ctypes
import os
import signal
import sys

_SET_PARENT_DEATH_SIGNAL = 1


def die_with_parent(parent: int, number: signal.Signals) -> bool:
    """Ask for signal `number` at the death of the thread that started this process; False: `parent` is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_SET_PARENT_DEATH_SIGNAL, number.value, 0, 0, 0)
    return os.getppid() == parent


if __name__ == "__main__":
    if die_with_parent(int(sys.argv[1]), signal.SIGKILL):
        try:
            os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - this is what it is for
        except OSError as error:
            sys.stderr.write(f"{sys.argv[2]} can't be run: {error.strerror}\n")
            sys.exit(127)
    sys.exit(1)
