"""Run a program whose words matter only when it fails."""

import subprocess
from collections.abc import Mapping, Sequence


class CommandError(Exception):
    """A program failed; the message holds its last words."""


def output(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> str:
    """Run a program and return what it printed, without the white space around.

    Raises:
        CommandError: It is not installed, or ended with another code than 0.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the caller's own fixed commands
            list(command), env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise CommandError(f"{command[0]} is not installed") from error
    if done.returncode:
        words = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
        raise CommandError(f"{' '.join(command[:2])} ended with {done.returncode}:\n{words}")
    return done.stdout.strip()
