"""`eydp doctor`."""

import asyncio
import sys

from dataplatform.errors import ConfigurationError
from eydp.commands.options import AsJson


def doctor(*, as_json: AsJson = False) -> None:
    """Check settings, reachability and permissions of every dependency, and say how to mend what fails."""
    from dataclasses import asdict

    from eydp.doctor import examine
    from eydp.environment import context
    from eydp.tables import print_json, show_findings, working

    given = context()
    with working("asking every dependency", quiet=as_json):
        findings = asyncio.run(examine(given))
    if as_json:
        print_json([{**asdict(finding), "ok": finding.ok} for finding in findings])
    else:
        show_findings(findings)
    if not all(finding.ok for finding in findings):
        sys.exit(ConfigurationError.exit_code)
