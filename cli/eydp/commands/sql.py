"""`eydp sql`."""

from typing import Annotated

import typer

from dataplatform.errors import ConfigurationError, InvalidDataError
from eydp.commands.options import AsJson


def sql(
    query: Annotated[str, typer.Argument(help="Standard SQL; datasets without a project are this project's.")],
    *,
    max_rows: Annotated[int, typer.Option("--max-rows", min=1, help="Rows fetched at most.")] = 100,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header, for scripts.")] = False,
) -> None:
    """Run a query on the configured warehouse and show the result as a table."""
    from google.api_core import exceptions as google

    from dataplatform import clients
    from dataplatform.retry import describe
    from eydp import tables
    from eydp.environment import context
    from eydp.query import ask

    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv exclude each other")
    given = context()
    client = clients.bigquery_client(given.platform, given.emulators)
    try:
        with tables.working("asking the warehouse", quiet=as_json or as_csv):
            answer = ask(client, query, max_rows=max_rows, timeout_seconds=given.platform.request_timeout_seconds)
    except google.BadRequest as error:
        raise InvalidDataError(f"BigQuery refused the query: {describe(error)}") from error
    except google.NotFound as error:
        raise ConfigurationError(f"the query names what is not there: {describe(error)}") from error
    if as_json:
        tables.print_json(answer.rows)
    elif as_csv:
        tables.print_csv(answer.columns, answer.rows)
    elif answer.changed is not None:
        tables.console.print(f"{answer.changed} rows changed")
    else:
        tables.show_rows(answer.rows)
    if answer.total > len(answer.rows):
        tables.notes.print(f"{len(answer.rows)} of {answer.total} rows; --max-rows gives more", style="dim")
