"""`eydp demo` with a stack of its own: the real data end in the marts, nothing is left running, a failure is told."""

import json
from pathlib import Path

import pytest

from localcloud.state import read_state
from support import golden
from support.programs import run
from support.stack import processes_of


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """An environment that names nothing of the platform but what must not count."""
    return {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "EYDP_PROJECT": "somebody-elses"}


def test_the_demo_ends_in_the_golden_numbers_and_leaves_nothing_running(
    bare: dict[str, str], cwd: str, tmp_path: Path
) -> None:
    done = run(bare, "eydp", "demo", "--json", cwd=cwd)
    shown = json.loads(done.stdout)
    marts = {check["figure"]: check.get("marts") for check in shown["checks"]}

    assert shown["agrees"]
    assert marts["products"] == str(golden.PRODUCTS)
    assert marts["users"] == str(golden.USERS)
    assert marts["order lines"] == str(golden.LINES)
    assert marts["items"] == str(golden.ITEMS)
    assert marts["revenue"] == str(golden.REVENUE)
    assert {n: marts[f"cart {n}: value"] for n in golden.VALUE_BY_CART} == {
        n: str(value) for n, value in golden.VALUE_BY_CART.items()
    }
    assert len(shown["Top products by revenue"]) == 5
    assert read_state(Path(cwd) / ".local") is None
    assert processes_of(Path(cwd) / ".local") == []
    assert [path.name for path in Path(cwd).iterdir()] == [".local"]
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]  # the home folder is as it was


@pytest.mark.long
def test_a_step_that_fails_ends_the_demo_with_its_last_lines_and_its_exit_code(bare: dict[str, str], cwd: str) -> None:
    (Path(cwd) / ".env").write_text("EYDP_BATCH_MAX_INVALID_RATIO=2\n", encoding="utf-8")
    done = run(bare, "eydp", "demo", code=78, cwd=cwd)

    assert "provision                    ok" in done.stdout
    assert "batch: products and users    failed" in done.stdout
    assert "stop the stack               ok" in done.stdout
    assert "error: EYDP_BATCH_MAX_INVALID_RATIO is '2'" in done.stderr
    assert done.stderr.splitlines()[-1] == "error: the step 'batch: products and users' failed with exit code 78"
    assert "Traceback" not in done.stderr
    assert processes_of(Path(cwd) / ".local") == []
