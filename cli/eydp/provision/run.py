"""Provisioning from end to end."""

from dataplatform import clients
from dataplatform.settings import EmulatorSettings, PlatformSettings
from eydp.provision.messaging import provision_messaging
from eydp.provision.plan import Step
from eydp.provision.storage import provision_bucket
from eydp.provision.warehouse import provision_warehouse


async def provision(platform: PlatformSettings, emulators: EmulatorSettings, *, dry_run: bool) -> list[Step]:
    """Create, extend or set whatever differs from what the platform needs; return the steps.

    Raises:
        ConfigurationError: something exists that can't be changed in place.
        google.api_core.exceptions.GoogleAPICallError: permission denied or service away.
    """
    steps = [*provision_warehouse(clients.bigquery_client(platform, emulators), platform, dry_run=dry_run)]
    steps.append(provision_bucket(clients.storage_client(platform, emulators), platform, dry_run=dry_run))
    publisher, subscriber = clients.publisher_client(emulators), clients.subscriber_client(emulators)
    steps.extend([step async for step in provision_messaging(publisher, subscriber, platform, dry_run=dry_run)])
    return steps
