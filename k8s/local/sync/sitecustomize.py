"""Run the platform's code from a folder that file sync may write to.

In a container the root file system is read-only and belongs to root, so Skaffold can't replace a file of `/app`. At the
start of each process this copies `/app` once to a volume that outlives the container, though not the pod, and puts the
copy first. Skaffold writes changed files over the copy and ends the program; Kubernetes starts it again with them.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path


def use_copy(source: Path, target: Path) -> None:
    """Make `target` a copy of `source` if there is none, and import from it before all others."""
    if not source.is_dir():
        return
    if not target.exists():
        scratch = Path(tempfile.mkdtemp(dir=target.parent))
        # Compiled files of the image are never checked against their source.
        shutil.copytree(source, scratch / "app", ignore=shutil.ignore_patterns("__pycache__"))
        try:
            (scratch / "app").rename(target)
        except OSError:
            if not target.exists():
                raise
            # Another process of the pod was faster.
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    sys.path.insert(0, str(target))


# Images are built by root, with this file in place already.
if os.getuid():
    use_copy(Path(os.environ.get("SYNC_SOURCE", "/app")), Path(os.environ.get("SYNC_TARGET", "/tmp/app")))  # noqa: S108 - the volume of every pod
