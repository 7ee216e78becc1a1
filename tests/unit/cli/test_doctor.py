"""Whatever a check meets becomes one line that says how to mend it."""

import pytest
from google.api_core import exceptions as google
from google.auth.exceptions import DefaultCredentialsError

from dataplatform.errors import UnavailableError
from eydp.doctor import Check, Finding, run_check
from eydp.probes import LackingError


async def test_a_check_that_passes_needs_no_mending() -> None:
    async def look() -> None:
        return

    finding = await run_check(Check("topic t", look))
    assert finding == Finding("topic t")
    assert finding.ok


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (google.NotFound("no topic"), "does not exist: run `eydp provision`"),
        (google.Forbidden("no"), "may not be used by this account: grant it roles/r"),
        (google.Unauthorized("no"), "grant it roles/r"),
        (LackingError("this account lacks a.b.c"), "this account lacks a.b.c: grant it roles/r"),
        (DefaultCredentialsError("none"), "gcloud auth application-default login"),
        (UnavailableError("GET x failed 3 times"), "GET x failed 3 times"),
        (TimeoutError(), "did not answer within"),
        (ConnectionRefusedError("refused"), "does not answer: is the stack up"),
        (google.ServiceUnavailable("away"), "does not answer: is the stack up"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_an_error_becomes_a_finding_with_its_way_out(error: Exception, words: str) -> None:
    async def look() -> None:
        raise error

    finding = await run_check(Check("topic t", look, "roles/r"))
    assert not finding.ok
    assert words in finding.mend
    assert "\n" not in finding.mend
