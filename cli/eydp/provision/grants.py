"""What Pub/Sub itself must be allowed: it moves dead letters under an account of its own, or not at all."""

import re
from collections.abc import AsyncIterator
from typing import Any

from google.api_core.exceptions import NotFound
from google.iam.v1 import policy_pb2

from dataplatform.errors import ConfigurationError
from dataplatform.settings import PlatformSettings
from eydp.provision.calls import Calls
from eydp.provision.messaging import dead_letter_topic
from eydp.provision.plan import Step


async def project_number(client: Any, project: str, calls: Calls) -> str:
    """Return a project's number, which BigQuery's account of the project carries in its name.

    Raises:
        ConfigurationError: the name has another form than it had.
    """
    email = await calls.blocking(f"reading the number of project {project}", client.get_service_account_email, project)
    found = re.fullmatch(r"bq-(\d+)@.+", str(email))
    if found is None:
        raise ConfigurationError(f"the number of project {project} can't be read from {email}")
    return found[1]


def service_agent(number: str) -> str:
    """Return the member that Pub/Sub acts as in a project."""
    return f"serviceAccount:service-{number}@gcp-sa-pubsub.iam.gserviceaccount.com"


async def provision_grants(
    publisher: Any, subscriber: Any, platform: PlatformSettings, member: str, calls: Calls, *, dry_run: bool
) -> AsyncIterator[Step]:
    """Let `member` publish dead letters and acknowledge what it moved; yield a step for each grant."""
    for client, kind, name, role in (
        (publisher, "topic", dead_letter_topic(platform), "roles/pubsub.publisher"),
        (subscriber, "subscription", platform.subscription_path, "roles/pubsub.subscriber"),
    ):
        resource, detail = f"{kind} {name}", f"{role} to Pub/Sub itself"
        try:
            policy = await calls.awaiting(
                f"reading the grants of {resource}", client.get_iam_policy, request={"resource": name}
            )
        except NotFound:  # only in a dry run: it is to be created
            yield Step("grant", resource, detail)
            continue
        if has_member(policy, role, member):
            yield Step("unchanged", resource, detail)
            continue
        if not dry_run:
            request = {"resource": name, "policy": with_member(policy, role, member)}
            await calls.awaiting(f"granting {role} on {resource}", client.set_iam_policy, request=request)
        yield Step("grant", resource, detail)


def has_member(policy: Any, role: str, member: str) -> bool:
    """Return whether a policy gives the role to the member without a condition."""
    return any(
        binding.role == role and member in binding.members and not binding.HasField("condition")
        for binding in policy.bindings
    )


def with_member(policy: Any, role: str, member: str) -> Any:
    """Return the policy with one more binding; its etag stays, so that nobody's change in between is lost."""
    changed = policy_pb2.Policy()
    changed.CopyFrom(policy)
    changed.bindings.add(role=role, members=[member])
    return changed
