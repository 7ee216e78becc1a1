"""A raw and an analytics dataset of one test module's own, and dbt as an operator runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.cloud import bigquery

from dataplatform.schemas import RAW_TABLES, api_fields

from .raw_rows import Row

#: Runs several dbt commands in one process, each with its own exit code: importing dbt takes seconds.
_SEVERAL = """
import json, sys
from dbt_job.main import main
for arguments in json.loads(sys.argv[1]):
    print("exit code", main(arguments), "of", *arguments, flush=True)
"""


@dataclass(frozen=True)
class Warehouse:
    """The two datasets. `variables` are all that a child process gets of the platform's settings."""

    client: Any
    project: str
    raw: str
    analytics: str
    variables: Mapping[str, str]
    folder: Path

    def create(self) -> None:
        for name in (self.raw, self.analytics):
            self.client.create_dataset(name)
        for table in RAW_TABLES:
            made = bigquery.Table(
                f"{self.project}.{self.raw}.{table.name}",
                schema=[bigquery.SchemaField.from_api_repr(each) for each in api_fields(table.columns)],
            )
            if table.partition_by:
                made.time_partitioning = bigquery.TimePartitioning(field=table.partition_by)
            made.clustering_fields = list(table.cluster_by)
            self.client.create_table(made)

    def drop(self) -> None:
        for name in (self.raw, self.analytics):
            self.client.delete_dataset(name, delete_contents=True, not_found_ok=True)

    def insert(self, table: str, rows: Iterable[Row]) -> None:
        errors = self.client.insert_rows_json(f"{self.project}.{self.raw}.{table}", list(rows))
        assert not errors, errors

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Run SQL in which {raw} and {marts} stand for the datasets."""
        text = sql.format(raw=f"`{self.project}`.{self.raw}", marts=f"`{self.project}`.{self.analytics}")
        return [dict(row.items()) for row in self.client.query_and_wait(text)]

    def one(self, sql: str) -> Any:
        """Return the single value that `sql` answers."""
        [row] = self.query(sql)
        [value] = row.values()
        return value

    def dbt(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return self._python("-m", "dbt_job", *arguments, **variables)

    def dbt_commands(self, commands: Sequence[Sequence[str]]) -> "subprocess.CompletedProcess[str]":
        return self._python("-c", _SEVERAL, json.dumps(commands))

    def build(self, *arguments: str) -> dict[str, Any]:
        """Run `dbt build` and return its summary; its lines go to stderr, shown when a test fails."""
        done = self.dbt("--json", "build", *arguments)
        assert done.stdout, done.stderr
        summary: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == summary["exit_code"], done.stderr
        return summary

    def _python(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, *arguments],
            env={**self.variables, "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **variables},
            cwd=self.folder,
            text=True,
            capture_output=True,
            timeout=600,
            check=False,
        )
