"""dbt in one process for many commands, with time between them: importing dbt takes seconds."""

import json
import os
import subprocess
import sys
from types import TracebackType
from typing import Self

from .warehouse import Warehouse

_LOOP = """
import contextlib, json, sys
from dbt_job.main import main
for line in sys.stdin:
    with contextlib.redirect_stdout(sys.stderr):
        code = main(json.loads(line))
    print(code, flush=True)
"""


class DbtSession:
    """A child process that runs one command after the other on a warehouse, without the audit."""

    def __init__(self, warehouse: Warehouse, **variables: str) -> None:
        self._said = (warehouse.folder / f"{warehouse.analytics}.log").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LOOP],
            env={
                **warehouse.variables,
                "PATH": os.environ["PATH"],
                "PYTHONPATH": os.pathsep.join(sys.path),
                "EYDP_DBT_AUDIT": "false",
                **variables,
            },
            cwd=warehouse.folder,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
        )

    def run(self, *arguments: str) -> None:
        """Run one command; fail with dbt's last lines when it does not end well."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        code = self._process.stdout.readline().strip()
        if code != "0":
            self._said.seek(0)
            raise AssertionError(f"exit code {code} of {arguments}:\n{self._said.read()[-4000:]}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=60)
        self._said.close()
