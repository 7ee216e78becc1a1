"""Pub/Sub and Cloud Storage alone, which start in a second, unlike the whole stack."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud import gcs


@dataclass(frozen=True)
class Emulators:
    """Addresses of running emulators, as host:port."""

    pubsub: str
    pubsub_admin: str
    storage: str

    @property
    def variables(self) -> dict[str, str]:
        return {"PUBSUB_EMULATOR_HOST": self.pubsub, "STORAGE_EMULATOR_HOST": f"http://{self.storage}"}


@contextmanager
def emulators(folder: Path, port: int) -> Iterator[Emulators]:
    """Run both, the buckets in `folder` and at `port`."""
    pubsub = [sys.executable, "-m", "localcloud.pubsub", "--port", "0", "--admin-port", "0"]
    storage = gcs.command("127.0.0.1", port, folder)
    with _running(*storage, stderr=subprocess.DEVNULL), _running(*pubsub) as process:
        assert process.stdout is not None
        admin, listening = (process.stdout.readline().split()[-1] for _ in range(2))
        yield Emulators(listening, admin, f"127.0.0.1:{port}")


@contextmanager
def _running(*command: str, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, **options) as process:
        try:
            yield process
        finally:
            process.kill()
