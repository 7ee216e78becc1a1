"""`eydp verify`."""

import asyncio

from dataplatform.errors import InvalidDataError
from eydp.commands.options import AsJson


def verify(*, as_json: AsJson = False) -> None:
    """Reconcile shop, raw zone, raw tables and marts; exit 65 on any difference."""
    from eydp.environment import context
    from eydp.tables import print_json, show_checks, working
    from eydp.verify.gather import verify as run_verify
    from eydp.verify.reconcile import difference

    given = context()
    with working("reading shop, raw zone, raw tables and marts", quiet=as_json):
        checks = asyncio.run(run_verify(given))
    if as_json:
        print_json([{"figure": check.name, "agrees": check.agrees, **check.figures} for check in checks])
    else:
        show_checks(checks)
    if sentence := difference(checks):
        raise InvalidDataError(sentence)
