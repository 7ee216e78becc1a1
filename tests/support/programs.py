"""The platform's programs as real processes, and a set of cloud names that no other test uses."""

import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping


def own_names(stack_env: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for the shared stack with bucket, topic and datasets of its own."""
    mark = uuid.uuid4().hex[:8]
    return {
        **stack_env,
        "PATH": "/usr/bin:/bin",
        "EYDP_BUCKET": f"raw-{mark}",
        "EYDP_DATASET_RAW": f"raw_{mark}",
        "EYDP_DATASET_ANALYTICS": f"analytics_{mark}",
        "EYDP_TOPIC": f"carts-{mark}",
        "EYDP_SUBSCRIPTION": f"carts-{mark}-sub",
        "EYDP_DEAD_LETTER_TOPIC": f"carts-{mark}-dlq",
        "EYDP_DEAD_LETTER_SUBSCRIPTION": f"carts-{mark}-dlq-sub",
        "EYDP_PUSH_TOPIC": f"carts-{mark}-pushed",
        "EYDP_PUSH_SUBSCRIPTION": f"carts-{mark}-pushed-sub",
        "EYDP_METRICS_PORT": "0",
        "EYDP_LOG_FORMAT": "json",
    }


def run(
    environment: Mapping[str, str], module: str, *arguments: str, code: int = 0, cwd: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and check its exit code."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=dict(environment),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == code, f"{module} {arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def start(environment: Mapping[str, str], module: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a program that the caller ends."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def until(condition: Callable[[], bool], what: str, *, seconds: float = 60) -> None:
    """Return as soon as the condition holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:.0f} s"
        time.sleep(0.1)
