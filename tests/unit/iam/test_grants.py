"""The table of grants: least roles, and every name that the code writes is covered by them."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from batch_ingest.entities import ENTITIES, Entity
from batch_ingest.identity import Run, claim
from carts_poller.store import StateStore
from dataplatform import schemas
from dataplatform.clock import SystemClock
from dataplatform.rawzone import batch_object, events_object, quarantine_object
from dataplatform.settings import PlatformSettings
from eydp.archive.joined import joined_name, manifest_name, retired_name
from eydp.iam.grants import COMPONENTS, OPERATOR, PUBSUB_AGENT, Grant, grants
from eydp.iam.installation import IDENTITIES, Installation, example
from eydp.iam.roles import CUSTOM_ROLES
from eydp.redrive import wiring as redrive
from eydp.replay import wiring as upkeep

OF = example()
ROWS = grants(OF.platform)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CLOCK = SystemClock()
NOTHING: Any = None
WORKLOADS = ("poller", "push", "consumer", "batch", "dbt")


def permissions(row: Grant) -> tuple[str, ...]:
    return () if isinstance(row.role, str) else row.role.permissions


def of(component: str) -> list[Grant]:
    return [row for row in ROWS if row.component == component]


def prefixes(component: str, permission: str) -> Iterable[str]:
    return [prefix for row in of(component) if permission in permissions(row) for prefix in row.prefixes]


def test_every_component_has_grants_and_no_other_name_has() -> None:
    assert {row.component for row in ROWS} == {*COMPONENTS, OPERATOR, PUBSUB_AGENT}


def test_no_grant_is_there_twice() -> None:
    keys = [(row.component, row.role_name("p"), row.resource, row.condition) for row in ROWS]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.component}-{row.resource}")
def test_every_grant_says_why_in_words(row: Grant) -> None:
    assert len(row.reason.split()) >= 5


def test_no_role_administers_or_owns() -> None:
    wide = re.compile(r"(?i)admin|owner|^roles/(editor|viewer)$")
    assert [row for row in ROWS if isinstance(row.role, str) and wide.search(row.role)] == []


def test_on_the_project_a_workload_may_only_start_jobs() -> None:
    rows = [row for row in ROWS if row.resource.kind == "project" and row.component != "provision"]
    assert {row.role for row in rows} == {"roles/bigquery.jobUser"}


def test_only_state_objects_and_cart_events_that_were_joined_may_be_replaced_or_deleted() -> None:
    deleting = [row for row in ROWS if "storage.objects.delete" in permissions(row)]
    assert deleting
    others = {(row.component, prefix) for row in deleting for prefix in row.prefixes or ("",)}
    assert {each for each in others if not each[1].startswith("_state/")} == {("compact", "carts_events/")}


def test_a_workload_reads_and_writes_below_its_own_folders_only() -> None:
    for row in ROWS:
        if row.component in WORKLOADS and "storage.objects.get" in permissions(row):
            assert row.prefixes, row


def test_the_consumer_reads_neither_users_nor_quarantine() -> None:
    read = {row.resource.name for row in of("consumer") if "bigquery.tables.getData" in permissions(row)}
    assert read == {"bq_raw.carts_events"}
    assert not [row for row in of("consumer") if row.resource.kind == "dataset"]


def test_provisioning_neither_deletes_nor_reads_data() -> None:
    held = {permission for row in of("provision") for permission in permissions(row)}
    assert held
    assert not [p for p in held if re.search(r"delete|getData|consume|publish|objects\.", p)]


def test_every_role_of_the_project_is_granted_to_somebody() -> None:
    assert {row.role for row in ROWS if not isinstance(row.role, str)} == set(CUSTOM_ROLES)


@pytest.mark.parametrize("role", CUSTOM_ROLES, ids=lambda role: role.id)
def test_a_role_lists_each_permission_once_in_order(role: Any) -> None:
    assert list(role.permissions) == sorted(set(role.permissions))
    assert all(re.fullmatch(r"[a-z]+\.[a-zA-Z]+\.[a-zA-Z]+", permission) for permission in role.permissions)
    assert re.fullmatch(r"[a-zA-Z0-9_.]{3,64}", role.id)


BATCH_OBJECTS = [
    name
    for entity in ENTITIES.values()
    for name in (
        batch_object(entity.name, date(2026, 11, 24), "0123456789abcdef"),
        quarantine_object(entity.name, NOW, "0123456789abcdef"),
        Run(entity, date(2026, 11, 24), "20261124-0123456789abcdef", "fakestore", NOW).manifest,
    )
]
JOINED = joined_name("carts_events/dt=2026-11-24/hr=12/", NOW, [])
CREATED = [
    *(("batch", name) for name in BATCH_OBJECTS),
    ("consumer", events_object("consumer-1", NOW, 1, "0123456789abcdef")),
    ("consumer", quarantine_object("carts_events", NOW, "0123456789abcdef")),
    ("poller", quarantine_object("carts_events", NOW, "0123456789abcdef")),
    ("poller", StateStore(NOTHING, "fakestore", CLOCK, holder="h", lease_seconds=1).head),
    ("compact", JOINED),
    ("compact", manifest_name(JOINED)),
    ("compact", retired_name(events_object("consumer-1", NOW, 1, "0123456789abcdef"))),
    (OPERATOR, redrive.lease_name("quarantine")),
]


@pytest.mark.parametrize(("component", "name"), CREATED)
def test_an_object_that_a_program_writes_is_one_that_it_may_create_and_read(component: str, name: str) -> None:
    for permission in ("storage.objects.create", "storage.objects.get"):
        assert any(name.startswith(prefix) for prefix in prefixes(component, permission)), permission


class Zone:
    """Notes what is written, and lets it be new."""

    def __init__(self) -> None:
        self.written: list[str] = []

    async def replace(self, name: str, _: bytes, *, generation: int) -> int:
        self.written.append(name)
        return generation + 1


@pytest.mark.parametrize("entity", ENTITIES.values(), ids=lambda entity: entity.name)
async def test_the_claim_of_a_batch_run_is_an_object_that_it_may_create(entity: Entity) -> None:
    zone: Any = Zone()
    await claim(zone, entity, date(2026, 11, 24), "20261124-0123456789abcdef", "fakestore", CLOCK)
    (name,) = zone.written
    assert any(name.startswith(prefix) for prefix in prefixes("batch", "storage.objects.create"))


def test_the_states_that_are_replaced_are_ones_that_may_be() -> None:
    for component, name in CREATED:
        if name.startswith("_state/"):
            assert any(name.startswith(prefix) for prefix in prefixes(component, "storage.objects.delete"))


@pytest.mark.parametrize(("component", "what"), [("replay", "raw-tables"), ("compact", "compact-carts_events")])
def test_the_lease_of_a_command_is_an_object_that_it_may_replace(component: str, what: str) -> None:
    name = upkeep.lease_name(what)
    assert any(name.startswith(prefix) for prefix in prefixes(component, "storage.objects.delete"))


def test_a_condition_names_the_bucket_and_each_prefix() -> None:
    row = next(row for row in of("consumer") if row.prefixes)
    assert row.condition == (
        'resource.name.startsWith("projects/_/buckets/my-project-raw-data/objects/carts_events/") || '
        'resource.name.startsWith("projects/_/buckets/my-project-raw-data/objects/quarantine/carts_events/")'
    )


def test_no_condition_has_more_operators_than_iam_takes() -> None:
    assert max(row.condition.count("||") for row in ROWS) <= 12


def test_dbt_reads_raw_tables_and_writes_the_marts() -> None:
    assert {(row.role, row.resource.name) for row in of("dbt") if row.resource.kind == "dataset"} == {
        ("roles/bigquery.dataViewer", "bq_raw"),
        ("roles/bigquery.dataEditor", "bq_analytics"),
    }


def test_the_batch_loader_may_load_every_table_that_it_loads() -> None:
    loaded = {row.resource.name for row in of("batch") if "bigquery.tables.updateData" in permissions(row)}
    tables = [
        *(table for entity in ENTITIES.values() for table in (entity.table, entity.load_table)),
        schemas.QUARANTINE,
        schemas.LOAD_AUDIT,
    ]
    assert loaded == {f"bq_raw.{table.name}" for table in tables}


def test_other_names_give_other_resources() -> None:
    platform = PlatformSettings.model_construct(project="p", bucket="b", topic="t", subscription="s", dataset_raw="d")
    names = {(row.resource.kind, row.resource.name) for row in grants(platform)}
    assert {("project", "p"), ("bucket", "b"), ("topic", "t"), ("subscription", "s"), ("table", "d.Users")} <= names
    assert "my-project" not in str(names)


def test_a_component_is_its_kubernetes_account_or_its_google_account() -> None:
    assert OF.member("poller", "direct") == (
        "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/"
        "my-project.svc.id.goog/subject/ns/ey-data-platform/sa/ey-data-platform-poller"
    )
    assert OF.member("poller", "annotation") == "serviceAccount:eydp-poller@my-project.iam.gserviceaccount.com"
    assert OF.impersonator("poller") == (
        "serviceAccount:my-project.svc.id.goog[ey-data-platform/ey-data-platform-poller]"
    )


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_google_account_has_a_name_that_google_takes(component: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", OF.google_account(component))


@pytest.mark.parametrize("identity", IDENTITIES)
def test_people_and_pubsub_are_the_same_in_both_modes(identity: Any) -> None:
    given = Installation(OF.platform, "42", "ns", "name", "user:a@example.com")
    assert given.member(OPERATOR, identity) == "user:a@example.com"
    assert given.member(PUBSUB_AGENT, identity) == ("serviceAccount:service-42@gcp-sa-pubsub.iam.gserviceaccount.com")
