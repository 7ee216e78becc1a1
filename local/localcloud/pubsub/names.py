"""Resource names: `projects/{project}/{collection}/{id}`, checked on every call that carries one."""

import re

from localcloud.pubsub.errors import invalid

DELETED_TOPIC = "_deleted-topic_"

_ID = re.compile(r"(?!goog)[A-Za-z][A-Za-z0-9\-_.~+%]{2,254}")
_PROJECT = re.compile(r"projects/[A-Za-z0-9][A-Za-z0-9\-_.:]*")


def _refuse(name: str, field: str) -> None:
    raise invalid(
        f"Invalid resource name given ({field}={name}). "
        "Refer to https://cloud.google.com/pubsub/docs/admin#resource_names for more information."
    )


def _check(name: str, collection: str, field: str = "name") -> str:
    parts = name.split("/")
    if (
        len(parts) != 4
        or parts[2] != collection
        or not _PROJECT.fullmatch("/".join(parts[:2]))
        or not _ID.fullmatch(parts[3])
    ):
        _refuse(name, field)
    return name


def topic(name: str, *, field: str = "name") -> str:
    """Return the name of a topic, or raise `INVALID_ARGUMENT`."""
    return _check(name, "topics", field)


def subscription(name: str) -> str:
    """Return the name of a subscription, or raise `INVALID_ARGUMENT`."""
    return _check(name, "subscriptions")


def snapshot(name: str) -> str:
    """Return the name of a snapshot, or raise `INVALID_ARGUMENT`."""
    return _check(name, "snapshots")


def project(name: str) -> str:
    """Return `projects/{project}`, or raise `INVALID_ARGUMENT`."""
    if not _PROJECT.fullmatch(name):
        _refuse(name, "name")
    return name


def project_id(name: str) -> str:
    """Return the project's id from any resource name."""
    return name.split("/")[1]


def short(name: str) -> str:
    """Return the last part of a resource name."""
    return name.rsplit("/", 1)[-1]
