"""What local-bigquery does otherwise than BigQuery and the platform's tools can't live with.

The one place where another project's functions are replaced. Each shim says what fails without it, and has a test
that fails without it. They were written against one version, which `apply` checks.
"""

import importlib.metadata
import re
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlglot
from local_bigquery.api import jobs as jobs_api
from local_bigquery.catalog import tables
from local_bigquery.engine import database
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import load, runner, store
from local_bigquery.sql import script
from local_bigquery.sql.dialect import BigQueryDialect
from sqlglot import exp

from localcloud.bigquery import lookup_shims, write_shims

KNOWN_VERSION = "0.4.0"

_CREATE_TABLE_AS = "CREATE_TABLE_AS_SELECT"
_DECORATED = re.compile(r"^(?P<table>[^$]+)\$(?P<partition>\d{4}|\d{6}|\d{8}|\d{10})$")
_PARTITIONS = {4: ("YEAR", "%Y"), 6: ("MONTH", "%Y%m"), 8: ("DAY", "%Y%m%d"), 10: ("HOUR", "%Y%m%d%H")}


def apply() -> None:
    """Put every shim in place, and say so on stderr where local-bigquery is not the version they were made for."""
    if warning := version_warning(importlib.metadata.version("local-bigquery")):
        sys.stderr.write(f"WARNING: {warning}\n")
    runner._query = _described_statements(_named_destination(runner._query))  # noqa: SLF001 - the stated exception, see above
    jobs_api.results = _no_rows_of_created_table(jobs_api.results)
    jobs_api.JobList = _without_empty_page_token(jobs_api.JobList)
    runner.HANDLERS["load"] = _load_into_partition(load.run)
    runner.submit = _one_at_a_time(runner.submit)
    script.Interpreter.set = _set_from_struct(script.Interpreter.set)
    lookup_shims.apply()
    write_shims.apply()


def _one_at_a_time(submit: Callable[..., Any]) -> Callable[..., Any]:
    """Look whether a job's id is taken and take it in one step.

    BigQuery answers 409 to all but one of those who submit one job at once. Without it some are answered 400, which
    says that the job is wrong, or two of them run.
    """
    taking = threading.Lock()

    def run(project_id: str, job_id: str, configuration: Any, upload: str | None = None) -> Any:
        if configuration.dryRun:  # has no id to take, and does its work before it returns
            return submit(project_id, job_id, configuration, upload)
        with taking:
            return submit(project_id, job_id, configuration, upload)

    return run


def version_warning(installed: str) -> str | None:
    """Return what to tell when `installed` is not the version that the shims were written and tested against."""
    if installed == KNOWN_VERSION:
        return None
    return (
        f"local-bigquery {installed} is installed, but the shims of the BigQuery emulator were written for "
        f"{KNOWN_VERSION}. Queries may fail or answer wrongly: install local-bigquery=={KNOWN_VERSION}."
    )


def _named_destination(query: Callable[..., Any]) -> Callable[..., Any]:
    """Name the created table as the job's destination.

    BigQuery does so for CREATE TABLE AS SELECT; without it dbt-bigquery dies on `job.destination` after each table
    that it builds.
    """

    def run(job: Any, session: Any, running: Any) -> Any:
        statistics = query(job, session, running)
        done, config = statistics.query, job.configuration.query
        if done and done.statementType == _CREATE_TABLE_AS and not config.destinationTable:
            config.destinationTable = done.ddlTargetTable
        return statistics

    return run


def _described_statements(query: Callable[..., Any]) -> Callable[..., Any]:
    """Tell of the jobs of a script's statements that they are statements.

    Without it `bq query` prints nothing for a script: it shows only jobs that are told to be statements. A SELECT that
    is not the last statement is left out: local-bigquery does not keep its rows, and showing none would be wrong.
    """

    def run(job: Any, session: Any, running: Any) -> Any:
        statistics = query(job, session, running)
        parent, count = job.jobReference, int(statistics.numChildJobs or 0)
        for index in range(count):
            child = store.load(parent.projectId, f"script_job_{parent.jobId}_{index}")
            kind = child.statistics.query.statementType or "SCRIPT"
            if index == count - 1 or kind != "SELECT":
                store.save(_as_statement(child, kind, last=index == count - 1))
        return statistics

    return run


def _as_statement(child: Any, kind: str, *, last: bool) -> Any:
    # Where the statement is within the script is not known here; bq wants numbers.
    frame = {"text": kind, "startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1}
    described = child.statistics.replace(scriptStatistics={"evaluationKind": "STATEMENT", "stackFrames": [frame]})
    configuration = child.configuration
    if not last:
        # All share one configuration, which names the table with the script's rows: those of the last statement.
        configuration = configuration.replace(query=configuration.query.without("destinationTable"))
    return child.replace(statistics=described, configuration=configuration)


def _no_rows_of_created_table(results: Callable[..., Any]) -> Callable[..., Any]:
    """Answer a CREATE TABLE AS SELECT without rows, as BigQuery does.

    local-bigquery sends the rows of the destination, so that the shim above alone would make a client download the
    first 100,000 rows of each table that it creates.
    """

    def run(job: Any, *arguments: Any) -> Any:
        statistics = job.statistics.query
        if statistics and statistics.statementType == _CREATE_TABLE_AS:
            query = job.configuration.query.without("destinationTable")
            job = job.replace(configuration=job.configuration.replace(query=query))
        return results(job, *arguments)

    return run


def _without_empty_page_token(make: Callable[..., Any]) -> Callable[..., Any]:
    """Leave `nextPageToken` out of the last page of a list of jobs.

    local-bigquery sends it as null. `bq query` lists the statements of a script and takes any token for one more
    page: it would fetch the same page until it has 1,000 jobs, half a minute long, and then not show the results.
    """

    def run(**fields: Any) -> Any:
        return make(**{name: value for name, value in fields.items() if value is not None})

    return run


def _load_into_partition(run: Callable[..., Any]) -> Callable[..., Any]:
    """Load into one partition where the table's name carries a decorator, such as `carts$20261124`.

    Without it a table of that very name appears and the partition stays as it was, silently. As in BigQuery, rows
    of another partition fail the load.
    """

    def load_partition(cursor: Any, config: Any, upload: str | None) -> Any:
        decorated = _DECORATED.match(config.destinationTable.tableId or "")
        if decorated is None:
            return run(cursor, config, upload)
        target = config.destinationTable.replace(tableId=decorated["table"])
        config = config.replace(destinationTable=target)
        partition = decorated["partition"]
        inside = _inside(tables.reference(target), config, partition)
        if tables.exists(*tables.reference(target)):
            return _replace_partition(run, cursor, config, upload, inside, partition)
        return _make_with_partition(run, cursor, config, upload, inside, partition)

    return load_partition


def _inside(reference: tuple[str, str, str], config: Any, partition: str) -> str:
    """Return the SQL condition that holds for rows of the partition."""
    unit, layout = _PARTITIONS[len(partition)]
    partitioning = config.timePartitioning
    if tables.exists(*reference):
        partitioning = tables.load(*reference).timePartitioning
    if not partitioning or not partitioning.field or (partitioning.type or "DAY") != unit:
        raise BigQueryError(
            "invalid", f"Partition {partition} does not fit the table: it is not partitioned by {unit} of a column."
        )
    try:
        start = datetime.strptime(partition, layout)  # noqa: DTZ007 - the engine's time zone is UTC
    except ValueError as error:
        raise BigQueryError("invalid", f"Invalid partition: {partition}") from error
    column = database.quote(partitioning.field)
    return f"coalesce(date_trunc('{unit}', CAST({column} AS TIMESTAMP)) = TIMESTAMP '{start}', false)"


def _replace_partition(
    run: Callable[..., Any], cursor: Any, config: Any, upload: str | None, inside: str, partition: str
) -> Any:
    reference = tables.reference(config.destinationTable)
    cursor.execute("BEGIN")
    try:
        before = _outside(cursor, reference, inside)
        if config.writeDisposition == "WRITE_TRUNCATE":
            cursor.execute(f"DELETE FROM {tables.name(*reference)} WHERE {inside}")  # noqa: S608 - quoted
            config = config.replace(writeDisposition="WRITE_APPEND")
        result = run(cursor, config, upload)
        _refuse_other_rows(_outside(cursor, reference, inside) - before, partition)
        cursor.execute("COMMIT")
    except Exception:
        cursor.execute("ROLLBACK")
        raise
    return result


def _make_with_partition(
    run: Callable[..., Any], cursor: Any, config: Any, upload: str | None, inside: str, partition: str
) -> Any:
    # Without a transaction: local-bigquery describes the new table through another connection.
    reference = tables.reference(config.destinationTable)
    result = run(cursor, config, upload)
    try:
        _refuse_other_rows(_outside(cursor, reference, inside), partition)
    except BigQueryError:
        tables.delete(*reference)
        raise
    return result


def _outside(cursor: Any, reference: tuple[str, str, str], inside: str) -> int:
    """Count the rows of other partitions as the cursor's transaction sees them."""
    query = f"SELECT count(*) FROM {tables.name(*reference)} WHERE NOT {inside}"  # noqa: S608 - quoted
    [(count,)] = cursor.execute(query).fetchall()
    return int(count)


def _refuse_other_rows(count: int, partition: str) -> None:
    if count:
        raise BigQueryError(
            "invalid", f"Some rows belong to different partitions rather than destination partition {partition}"
        )


def _set_from_struct(assign: Callable[..., None]) -> Callable[..., None]:
    """Run `SET (a, b) = (SELECT AS STRUCT …)`.

    Without it the script fails, and dbt's insert_overwrite, which finds the partitions to replace that way, with it.
    """

    def run(interpreter: Any, statement: Any) -> None:
        items = sqlglot.parse_one(statement.text, dialect=BigQueryDialect).expressions
        if len(items) == 1:
            target, value = items[0].this.this, items[0].this.expression
            select = value.unnest() if isinstance(value, exp.Subquery | exp.Paren) else value
            if isinstance(target, exp.Paren | exp.Tuple) and isinstance(select, exp.Select) and select.args.get("kind"):
                names = target.expressions if isinstance(target, exp.Tuple) else [target.this]
                for name, column in zip(names, select.expressions, strict=True):
                    one = select.copy()
                    one.set("kind", None)
                    one.set("expressions", [column.copy()])
                    interpreter.assign(interpreter.variable(name.name), exp.Subquery(this=one))
                return
        assign(interpreter, statement)

    return run
