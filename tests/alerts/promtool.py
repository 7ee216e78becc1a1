"""Run promtool on the rules, with the words of one release in the places of those that the chart fills in."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from eydp.alerts import model
from eydp.alerts.model import Group
from eydp.alerts.rules import document

WORDS: Mapping[str, str] = {
    model.NAMESPACE: "shop",
    model.NAME: "eydp",
    model.SHORT: "eydp",
    model.SUBSCRIPTION: "carts-events-sub",
    model.DEAD_LETTERS: "carts-events-dlq-sub",
    model.RUNBOOKS: "docs/runbooks",
}


def program() -> str:
    """Return promtool; skip the test without it, unless the environment says that it must be there."""
    if found := shutil.which("promtool"):
        return found
    if os.environ.get("EYDP_REQUIRE_PROMTOOL"):
        pytest.fail("EYDP_REQUIRE_PROMTOOL is set, but promtool is not on the PATH")
    pytest.skip("promtool is not installed; Debian has it in the package prometheus")


def filled(text: str) -> str:
    """Return rules as the chart would make them for the release of the tests."""
    for word, meaning in WORDS.items():
        text = text.replace(word, meaning)
    return text


def promtool(*arguments: str, folder: Path) -> str:
    """Return what promtool complains about, or an empty string."""
    done = subprocess.run([program(), *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def complaints(groups: Iterable[Group], tests: Sequence[Mapping[str, Any]], folder: Path) -> str:
    """Return what promtool says of tests of rules when one fails, or an empty string."""
    (folder / "rules.yaml").write_text(filled(document(groups)))
    whole = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": list(tests)}
    (folder / "tests.yaml").write_text(yaml.safe_dump(whole))
    return promtool("test", "rules", "tests.yaml", folder=folder)


def series(given: Mapping[str, str]) -> list[dict[str, str]]:
    """Return input series as promtool reads them."""
    return [{"series": name, "values": values} for name, values in given.items()]


def at(minute: int, alert: str, expected: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one question: what fires of this alert at this minute."""
    return {"eval_time": f"{minute}m", "alertname": alert, "exp_alerts": expected}
