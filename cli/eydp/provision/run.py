"""Provisioning from end to end."""

from carts_poller.settings import PollerSettings
from dataplatform import clients, settings
from dataplatform.clock import SystemClock
from dataplatform.retry import Retrier, RetryPolicy
from dataplatform.settings import EmulatorSettings, PlatformSettings
from eydp.provision.calls import Calls
from eydp.provision.grants import project_number, provision_grants, service_agent
from eydp.provision.messaging import provision_messaging
from eydp.provision.plan import Step
from eydp.provision.storage import provision_bucket
from eydp.provision.warehouse import provision_warehouse

#: A person waits: shorter than what programs bear.
_RETRY_SECONDS = 20.0


async def provision(platform: PlatformSettings, emulators: EmulatorSettings, *, dry_run: bool) -> list[Step]:
    """Create, extend or set whatever differs from what the platform needs; return the steps.

    Raises:
        ConfigurationError: something exists that can't be changed in place, or the account may not do it.
        UnavailableError: a service does not answer.
    """
    deadline = min(platform.retry_deadline_seconds, _RETRY_SECONDS)
    calls = Calls(Retrier(RetryPolicy(deadline), SystemClock()), timeout_seconds=platform.request_timeout_seconds)
    ordering = settings.load(PollerSettings).ordering_keys
    bigquery, storage = clients.bigquery_client(platform, emulators), clients.storage_client(platform, emulators)
    publisher, subscriber = clients.publisher_client(emulators), clients.subscriber_client(emulators)
    try:
        steps = [step async for step in provision_warehouse(bigquery, platform, calls, dry_run=dry_run)]
        emulated = bool(emulators.storage_emulator_host)
        steps.append(await provision_bucket(storage, platform, calls, emulated=emulated, dry_run=dry_run))
        messaging = provision_messaging(publisher, subscriber, platform, calls, ordering=ordering, dry_run=dry_run)
        steps += [step async for step in messaging]
        if not emulators.pubsub_emulator_host:  # the emulator moves dead letters without being allowed to
            member = service_agent(await project_number(bigquery, platform.project, calls))
            grants = provision_grants(publisher, subscriber, platform, member, calls, dry_run=dry_run)
            steps += [step async for step in grants]
        return steps
    finally:
        bigquery.close()
        storage.close()
        await publisher.transport.close()
        await subscriber.transport.close()
