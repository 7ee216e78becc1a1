"""The bucket of the raw zone."""

from contextlib import suppress
from typing import Any

from google.api_core.exceptions import Conflict, NotFound

from dataplatform.errors import ConfigurationError
from dataplatform.settings import PlatformSettings
from eydp.provision.calls import Calls
from eydp.provision.lifecycle import lifecycle_rules, with_missing
from eydp.provision.plan import LABELS, Step, missing_labels, refuse_other_location


async def provision_bucket(
    client: Any, platform: PlatformSettings, calls: Calls, *, emulated: bool, dry_run: bool
) -> Step:
    """Create the bucket when it is missing: uniform access, no public access, and what becomes of old objects.

    Of a bucket that is there labels and lifecycle rules are set. The emulator keeps neither those nor a location, so
    with it they are not compared.

    Raises:
        ConfigurationError: it is in another location, or its name is none.
    """
    name = platform.bucket_name
    resource = f"bucket {name}"
    try:
        wanted = client.bucket(name)
    except ValueError as error:
        raise ConfigurationError(f"EYDP_BUCKET is {name!r}, which is no name for a bucket: {error}") from error
    try:
        found = await calls.blocking(f"reading {resource}", client.get_bucket, name)
    except NotFound:
        if not dry_run:
            wanted.labels = LABELS
            wanted.iam_configuration.uniform_bucket_level_access_enabled = True
            wanted.iam_configuration.public_access_prevention = "enforced"
            wanted.lifecycle_rules = lifecycle_rules()
            with suppress(Conflict):  # somebody else provisions at the same time
                await calls.blocking(f"creating {resource}", client.create_bucket, wanted, location=platform.location)
        return Step("create", resource, platform.location)
    if emulated:
        return Step("unchanged", resource)
    refuse_other_location(resource, found.location, platform.location)
    labels, rules = missing_labels(found.labels, LABELS), with_missing(found.lifecycle_rules)
    if not labels and rules is None:
        return Step("unchanged", resource)
    if labels:
        found.labels = labels
    if rules is not None:
        found.lifecycle_rules = rules
    if not dry_run:
        await calls.blocking(f"updating {resource}", found.patch)
    changed = ["labels"] * bool(labels) + ["lifecycle rules"] * (rules is not None)
    return Step("update", resource, " and ".join(changed))
