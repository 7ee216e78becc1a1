"""The calls that each program really makes, noted by proxies before the embedded stack, are allowed by its roles."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import pytest

from eydp.iam import roles
from eydp.iam.grants import grants
from eydp.iam.installation import example
from support.events import event
from support.proxy import Faults, Moment
from support.proxy_grpc import GrpcProxy
from support.proxy_http import HttpProxy
from support.pubsub import publish

#: What a call needs; an empty text where everybody may make it. Only the rights that the platform uses are listed.
PERMISSIONS = {
    r"/google\.iam\.v1\.IAMPolicy/TestIamPermissions": "",
    r"/google\.pubsub\.v1\.Publisher/Publish": "pubsub.topics.publish",
    r"/google\.pubsub\.v1\.Publisher/GetTopic": "pubsub.topics.get",
    r"/google\.pubsub\.v1\.Subscriber/GetSubscription": "pubsub.subscriptions.get",
    r"/google\.pubsub\.v1\.Subscriber/(StreamingPull|Acknowledge|ModifyAckDeadline)": "pubsub.subscriptions.consume",
    r"/google\.cloud\.bigquery\.storage\.v1\.BigQueryWrite/(CreateWriteStream|AppendRows|FinalizeWriteStream)": (
        "bigquery.tables.updateData"
    ),
    r"GET /storage/v1/b/[^/]+": "storage.buckets.get",
    r"GET /storage/v1/b/[^/]+/o": "storage.objects.list",
    r"GET /storage/v1/b/[^/]+/o/.+": "storage.objects.get",
    r"GET /download/storage/v1/b/[^/]+/o/.+": "storage.objects.get",
    r"POST /upload/storage/v1/b/[^/]+/o": "storage.objects.create",
    r"POST /storage/v1/b/[^/]+/o/.+/copyTo/.+": "storage.objects.create",
    r"DELETE /storage/v1/b/[^/]+/o/.+": "storage.objects.delete",
    # The list holds those that the caller may look at.
    r"GET /bigquery/v2/projects/[^/]+/datasets(/[^/]+)?": "bigquery.datasets.get",
    r"GET /bigquery/v2/projects/[^/]+/datasets/[^/]+/routines": "bigquery.routines.list",
    r"GET /bigquery/v2/projects/[^/]+/datasets/[^/]+/tables": "bigquery.tables.list",
    r"GET /bigquery/v2/projects/[^/]+/datasets/[^/]+/tables/[^/]+": "bigquery.tables.get",
    r"GET /bigquery/v2/projects/[^/]+/datasets/[^/]+/tables/[^/]+/data": "bigquery.tables.getData",
    r"(PATCH|PUT) /bigquery/v2/projects/[^/]+/datasets/[^/]+/tables/[^/]+": "bigquery.tables.update",
    r"POST /bigquery/v2/projects/[^/]+/datasets/[^/]+/tables": "bigquery.tables.create",
    r"DELETE /bigquery/v2/projects/[^/]+/datasets/[^/]+/tables/[^/]+": "bigquery.tables.delete",
    # Whoever starts a job may look at it.
    r"POST /(upload/)?bigquery/v2/projects/[^/]+/(jobs|queries)": "bigquery.jobs.create",
    r"GET /bigquery/v2/projects/[^/]+/(jobs|queries)/[^/]+": "bigquery.jobs.create",
}
#: What of Google's roles the platform uses.
PREDEFINED = {
    roles.PUBLISHER: {"pubsub.topics.publish"},
    roles.JOB_USER: {"bigquery.jobs.create"},
    roles.DATA_VIEWER: {
        "bigquery.datasets.get",
        "bigquery.routines.list",
        "bigquery.tables.get",
        "bigquery.tables.getData",
        "bigquery.tables.list",
    },
}
PREDEFINED[roles.DATA_EDITOR] = PREDEFINED[roles.DATA_VIEWER] | {
    f"bigquery.tables.{verb}" for verb in ("create", "delete", "update", "updateData")
}


class Noted(Faults):
    """Does nothing to a call but note its name."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: set[str] = set()

    async def meet(self, call: str, moment: Moment) -> None:
        del moment
        self.calls.add(call)


@asynccontextmanager
async def noting(environment: Mapping[str, str], noted: Noted) -> AsyncIterator[dict[str, str]]:
    """Yield an environment whose servers are proxies before those of `environment`."""
    async with AsyncExitStack() as stack:
        through = dict(environment)
        for name in ("PUBSUB_EMULATOR_HOST", "BIGQUERY_STORAGE_EMULATOR_HOST"):
            proxy = await stack.enter_async_context(GrpcProxy(environment[name]))
            proxy.faults, through[name] = noted, proxy.address
        for name in ("STORAGE_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST"):
            http = await stack.enter_async_context(HttpProxy(environment[name]))
            http.faults, through[name] = noted, http.address
        yield through


async def run(command: str, environment: Mapping[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *command.split()),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 150)
    assert process.returncode == 0, f"{command}: {said.decode()[-3000:]}"


def needed(call: str) -> str:
    """The permission for a call; for one that the table does not know, words that no role holds."""
    return next((right for form, right in PERMISSIONS.items() if re.fullmatch(form, call)), f"unknown: {call}")


def held(component: str) -> set[str]:
    """The permissions of a component, wherever it has them."""
    found: set[str] = set()
    for row in grants(example().platform):
        if row.component == component:
            found |= PREDEFINED[row.role] if isinstance(row.role, str) else set(row.role.permissions)
    return found


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_no_program_makes_a_call_that_its_roles_do_not_allow(stack_env: dict[str, str]) -> None:
    await run("eydp provision", stack_env)
    stack_env = {**stack_env, "EYDP_REPLAY_RAW_MARGIN_SECONDS": "0"}
    used: dict[str, set[str]] = {}
    for component, command in (
        ("batch", "batch_ingest"),
        ("poller", "carts_poller --once"),
        ("consumer", "carts_consumer --until-idle"),
        ("dbt", "dbt_job build"),
        ("replay", "eydp replay"),
        ("replay", "eydp replay --entity quarantine"),
        ("compact", f"eydp compact --date {datetime.now(UTC):%Y-%m-%d}"),
    ):
        if component == "compact":  # of three objects two at least are of one hour
            for number in (1, 2):
                await asyncio.to_thread(publish, {**stack_env, "EYDP_TOPIC": "carts-events"}, [event(cart_id=number)])
                await run("carts_consumer --until-idle", stack_env)
        noted = Noted()
        async with noting(stack_env, noted) as environment:
            await run(command, environment)
        used.setdefault(component, set()).update(right for call in noted.calls if (right := needed(call)))
    assert {component: permissions - held(component) for component, permissions in used.items()} == {
        component: set() for component in used
    }
    # The proxies saw the programs at work.
    assert used["poller"] >= {"pubsub.topics.publish", "storage.buckets.get", "storage.objects.create"}
    assert used["consumer"] >= {"pubsub.subscriptions.consume", "storage.objects.create", "bigquery.tables.updateData"}
    assert used["batch"] >= {"storage.objects.create", "bigquery.jobs.create", "bigquery.tables.get"}
    assert "bigquery.jobs.create" in used["dbt"]
    assert used["replay"] >= {"storage.objects.get", "storage.objects.list", "bigquery.tables.create"}
    assert used["compact"] >= {"storage.objects.list", "storage.objects.delete"}
