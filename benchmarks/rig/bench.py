"""The bench: the embedded Pub/Sub emulator and the sinks on one core, what is measured on the other."""

import json
import os
import platform
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rig.backlog import PROJECT

RIG = Path(__file__).parent
CONSUMER_CORE = 0
OTHER_CORE = (os.cpu_count() or 1) - 1


@contextmanager
def child(command: Sequence[str], core: int, environment: Mapping[str, str] | None = None) -> Iterator[Any]:
    """Run a process on one core and end it afterwards."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    os.sched_setaffinity(process.pid, {core})
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@dataclass(frozen=True, slots=True)
class Bench:
    """Addresses of emulator and sinks, and the environment that makes programs use them."""

    pubsub: str
    http: str
    environment: Mapping[str, str]

    def stats(self) -> dict[str, Any]:
        """Return what the sinks counted."""
        with urllib.request.urlopen(f"http://{self.http}/stats") as answer:
            counted: dict[str, Any] = json.load(answer)
        return counted

    def configure(self, **given: Any) -> None:
        """Slow the sinks' answers (`append`, `upload`, in seconds) or let them keep latencies (`latency`)."""
        with urllib.request.urlopen(f"http://{self.http}/delay", json.dumps(given).encode()):
            pass


@contextmanager
def bench() -> Iterator[Bench]:
    """Start emulator and sinks."""
    emulator = [sys.executable, "-m", "localcloud.pubsub", "--port", "0"]
    with (
        child(emulator, OTHER_CORE) as pubsub,
        child([sys.executable, str(RIG / "sinks.py")], OTHER_CORE) as sinks,
        tempfile.TemporaryDirectory() as folder,
    ):
        address = pubsub.stdout.readline().split()[-1]
        where = json.loads(sinks.stdout.readline())
        yield Bench(
            address,
            where["http"],
            {
                **os.environ,
                "HOME": folder,
                "PUBSUB_EMULATOR_HOST": address,
                "STORAGE_EMULATOR_HOST": f"http://{where['http']}",
                "BIGQUERY_EMULATOR_HOST": f"http://{where['http']}",
                "BIGQUERY_STORAGE_EMULATOR_HOST": where["grpc"],
                "EYDP_PROJECT": PROJECT,
                "EYDP_METRICS_PORT": "0",
            },
        )


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process used so far; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(pid: int) -> float:
    """Return the most memory that a process held so far; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    line = next((line for line in status.splitlines() if line.startswith("VmHWM")), "VmHWM: 0")
    return int(line.split()[1]) / 1024


def machine() -> str:
    """Return the line that names the machine."""
    return f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()
