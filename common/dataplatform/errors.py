"""The outcomes that end a program or a step, each with its own type and exit code.

A message is one sentence that says what is wrong, where, and how to mend it. Exit codes follow sysexits.h, so that
a scheduler can retry trouble of the environment and leave bad data alone.
"""


class PlatformError(Exception):
    """Base of all errors whose message is meant for a person. Exit code 70: a fault of the platform itself."""

    exit_code = 70


class InvalidDataError(PlatformError):
    """Data is wrong or a check of it failed; trying again does not help. Exit code 65."""

    exit_code = 65


class UnavailableError(PlatformError):
    """A dependency did not answer within its deadline; trying again later may help. Exit code 69."""

    exit_code = 69


class BusyError(PlatformError):
    """Another run holds what this one needs; nothing was done. Exit code 75."""

    exit_code = 75


class ConfigurationError(PlatformError):
    """A setting, resource or permission is missing or wrong; a person must mend it. Exit code 78."""

    exit_code = 78
