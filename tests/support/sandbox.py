"""Run a process as a container would: another user, no capabilities, nothing but /tmp to write to, a given environment.

Linux namespaces do it, with unshare and setpriv and without any image. Where the machine forbids them, `forbidden` says
so, and processes run plainly.
"""

import functools
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.manifests import ROOT

_TOOLS = "/usr/sbin:/usr/bin:/sbin:/bin"
_READ_ONLY = """\
awk '$5 !~ "^/(proc|sys|dev|tmp)(/|$)" {print $5}' /proc/self/mountinfo | sort -u |
    while read -r at; do mount -o remount,bind,ro "$at" 2>/dev/null || true; done"""


def _script(user: int, tmp_size: str, secrets: tuple[Path, str] | None, command: Sequence[str]) -> str:
    """Return a shell script for inside a new mount namespace: it makes the file system and becomes the command."""
    lines = ["set -e", "mount --make-rprivate /"]
    if secrets:
        folder, at = secrets
        # Nothing of the machine is changed: the place is made on an empty file system of this namespace.
        lines += [
            "mount -t tmpfs -o mode=755 tmpfs /run",
            f"mkdir -p {shlex.quote(at)}",
            f"mount --bind {shlex.quote(str(folder))} {shlex.quote(at)}",
        ]
    # A home that only its owner may enter can hold the interpreter: an empty folder in its place, with that part alone.
    interpreter = Path(sys.base_prefix)
    closed = next((at for at in reversed(interpreter.parents) if not at.stat().st_mode & 0o001), None)
    if closed:
        aside = "/mnt"
        lines += [
            f"mount -t tmpfs -o mode=755 tmpfs {aside}",
            f"mkdir {aside}/python && mount --bind {shlex.quote(str(interpreter))} {aside}/python",
            f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(str(closed))}",
            f"mkdir -p {shlex.quote(str(interpreter))}",
            f"mount --bind {aside}/python {shlex.quote(str(interpreter))}",
        ]
    lines += [
        f"mount -t tmpfs -o size={tmp_size},mode=1777 tmpfs /tmp",
        # Mounts below another one are invisible here and may refuse; that nothing can be written is tried out.
        _READ_ONLY,
        "cd /",
    ]
    if os.geteuid() == 0:
        drop = (
            f"setpriv --reuid={user} --regid={user} --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all"
        )
    else:
        drop = f"unshare --user --map-user={user} --map-group={user} setpriv --no-new-privs"
    return "\n".join([*lines, f"exec {drop} {shlex.join(command)}"])


def _start(script: str, environment: Mapping[str, str], output: int) -> subprocess.Popen[str]:
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    return subprocess.Popen(
        [*unshare, "env", "-i", f"PATH={_TOOLS}", "sh", "-c", script],
        env={"PATH": _TOOLS, **environment},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
    )


def contained(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    user: int,
    tmp_size: str,
    secrets: tuple[Path, str] | None = None,
    output: int = subprocess.PIPE,
) -> subprocess.Popen[str]:
    """Start a command in the sandbox, as the process that is returned: no shell and no parent stays between.

    `secrets` is a folder and the place below /run or /var/run where the command finds it; what changes in the folder is
    seen at once.
    """
    words = ["env", "-i", *(f"{name}={value}" for name, value in environment.items()), *command]
    return _start(_script(user, tmp_size, secrets, words), {}, output)


@functools.cache
def forbidden() -> str:
    """Return what this machine does not allow of the sandbox, or an empty string."""
    probe = f"""
import os
assert os.getuid() == os.getgid() == 12345, "another user"
for folder in ("/", {str(ROOT)!r}, {sys.prefix!r}, "/var/tmp"):
    assert os.statvfs(folder).f_flag & os.ST_RDONLY, f"{{folder}} can be written"
open("/tmp/probe", "w").write("x")
"""
    try:
        process = contained([sys.executable, "-c", probe], {"HOME": "/tmp"}, user=12345, tmp_size="1m")  # noqa: S108 - of the sandbox
    except OSError as error:
        return str(error)
    try:
        said, _ = process.communicate(timeout=60)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.communicate()
        return str(error)
    return said.strip() or f"it ended with {process.returncode}" if process.returncode else ""
