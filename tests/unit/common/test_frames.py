"""Programs that start without the libraries for data frames, though they are installed here."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from dataplatform.frames import LIBRARIES

#: Run a program's help as `python -m` does, import Google's clients after it, and tell which libraries are loaded.
_PROGRAM = """
import contextlib, io, json, runpy, sys

sys.argv = sys.argv[1:]
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
from google.cloud import bigquery, bigquery_storage_v1

print(json.dumps([name for name in json.loads(sys.argv[2]) if sys.modules.get(name)]))
"""


@pytest.mark.parametrize("program", ["carts_consumer", "batch_ingest", "eydp"])
def test_a_program_imports_no_library_for_data_frames(program: str, tmp_path: Path) -> None:
    assert all(find_spec(name) for name in LIBRARIES), "else nothing is shown"
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, program, "--help", json.dumps(LIBRARIES)],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
