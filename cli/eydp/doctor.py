"""One line for each dependency: does it answer, may it be used, is it as it should be, and if not, what mends it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial

from google.api_core import exceptions as google
from google.auth.exceptions import DefaultCredentialsError, RefreshError

from dataplatform import settings
from dataplatform.errors import PlatformError
from dataplatform.retry import describe
from dataplatform.schemas import RAW_TABLES
from eydp.environment import Context, every_section
from eydp.probes import LackingError, Probes
from eydp.provision.messaging import wanted_topics

#: A whole check, however it hangs.
_CHECK_SECONDS = 12.0
_DATA_EDITOR = "roles/bigquery.dataEditor"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check; `mend` is empty when it passed."""

    what: str
    mend: str = ""

    @property
    def ok(self) -> bool:
        """Return whether the check passed."""
        return not self.mend


@dataclass(frozen=True, slots=True)
class Check:
    """`look` raises what is wrong; `role` is what an account needs to pass."""

    what: str
    look: Callable[[], Awaitable[None]]
    role: str = ""


async def examine(context: Context) -> list[Finding]:
    """Check the settings of all programs and every dependency, side by side, each with a short deadline."""
    findings = list(_settings())
    if not all(finding.ok for finding in findings):
        return findings
    probes = Probes(context)
    try:
        return [*findings, *await asyncio.gather(*(run_check(check) for check in _checks(context, probes)))]
    finally:
        await probes.close()


async def run_check(check: Check) -> Finding:
    """Run one check; whatever goes wrong becomes its finding."""
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check.look()
    except Exception as error:  # noqa: BLE001 - whatever it is becomes a line of the report
        return Finding(check.what, _mend(error, check.role))
    return Finding(check.what)


def _mend(error: Exception, role: str) -> str:
    match error:
        case google.NotFound():
            mend = "does not exist: run `eydp provision`"
        case google.Forbidden() | google.Unauthorized():
            mend = f"may not be used by this account: grant it {role} ({describe(error)})"
        case LackingError():
            mend = f"{error}: grant it {role}"
        case DefaultCredentialsError() | RefreshError():
            mend = "no valid credentials: log in with `gcloud auth application-default login`"
        case PlatformError():
            mend = str(error)
        case TimeoutError():
            mend = f"did not answer within {_CHECK_SECONDS:g} s"
        case _:
            mend = f"does not answer: is the stack up (`eydp status`), or the network closed? ({describe(error)})"
    return mend


def _settings() -> Iterator[Finding]:
    for section in every_section():
        what = f"settings: {section.title}"
        try:
            settings.load(section)
        except PlatformError as error:
            yield Finding(what, str(error))
        else:
            yield Finding(what)


def _checks(context: Context, probes: Probes) -> Iterator[Check]:
    platform = context.platform
    yield Check(f"source {context.source.url}", probes.source)
    yield Check(f"bucket {platform.bucket_name}", probes.bucket, "roles/storage.objectUser and storage.buckets.get")
    for dataset in (platform.dataset_raw, platform.dataset_analytics):
        name = f"{platform.project}.{dataset}"
        yield Check(f"dataset {name}", partial(probes.dataset, name), _DATA_EDITOR)
    for table in RAW_TABLES:
        yield Check(f"table {platform.raw_table(table.name)}", partial(probes.table, table), _DATA_EDITOR)
    yield Check("BigQuery jobs", probes.jobs, "roles/bigquery.jobUser")
    yield Check("BigQuery Storage Write API", probes.write_api, _DATA_EDITOR)
    for topic in wanted_topics(platform):
        yield Check(f"topic {topic}", partial(probes.topic, topic), "roles/pubsub.publisher and roles/pubsub.viewer")
    for wanted in probes.subscriptions():
        role = "roles/pubsub.subscriber and roles/pubsub.viewer"
        yield Check(f"subscription {wanted.name}", partial(probes.subscription, wanted), role)
