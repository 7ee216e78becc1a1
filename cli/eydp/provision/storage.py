"""The bucket of the raw zone."""

from typing import Any

from google.api_core.exceptions import NotFound

from dataplatform.settings import PlatformSettings
from eydp.provision.plan import Step
from eydp.provision.warehouse import LABELS


def provision_bucket(client: Any, platform: PlatformSettings, *, dry_run: bool) -> Step:
    """Create the bucket when it is missing: uniform access, no public access."""
    name = platform.bucket_name
    timeout = platform.request_timeout_seconds
    try:
        client.get_bucket(name, timeout=timeout, retry=None)
    except NotFound:
        if not dry_run:
            bucket = client.bucket(name)
            bucket.labels = LABELS
            bucket.iam_configuration.uniform_bucket_level_access_enabled = True
            bucket.iam_configuration.public_access_prevention = "enforced"
            client.create_bucket(bucket, location=platform.location, timeout=timeout, retry=None)
        return Step("create", f"bucket {name}", platform.location)
    return Step("unchanged", f"bucket {name}")
