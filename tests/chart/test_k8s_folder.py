"""k8s/config-connector: valid objects, which make what `eydp provision` makes and grant what the table grants."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from google.pubsub_v1 import types

from chart.provisioned import Provisioned, provisioned
from eydp.connector.folder import files
from eydp.connector.resources import SERVICES
from eydp.iam.grants import COMPONENTS, OPTIONAL, PUBSUB_AGENT, Grant, grants
from eydp.iam.installation import IDENTITIES, Identity, example
from eydp.iam.roles import CUSTOM_ROLES
from support.chart import rendered
from support.manifests import ROOT, Manifest, custom_resource_errors, kustomize

FOLDER = ROOT / "k8s" / "config-connector"
OF = example()
PROJECT = OF.platform.project


def objects(identity: Identity, kind: str = "") -> list[Manifest]:
    found = kustomize(FOLDER / identity)
    return [manifest for manifest in found if not kind or manifest["kind"] == kind]


def by_id(kind: str) -> dict[str, Manifest]:
    """The objects of a kind by the name of their resource on the cloud."""
    return {o["spec"].get("resourceID", o["metadata"]["name"]): o for o in objects("direct", kind)}


@pytest.fixture(name="made")
async def made_fixture() -> Provisioned:
    return await provisioned(OF.platform, OF.member(PUBSUB_AGENT, "direct"))


@pytest.mark.parametrize("identity", IDENTITIES)
def test_every_object_is_valid(identity: Identity) -> None:
    wrong = {
        f"{o['kind']} {o['metadata']['name']}": errors
        for o in objects(identity)
        if (errors := list(custom_resource_errors(o)))
    }
    assert wrong == {}


@pytest.mark.parametrize("identity", IDENTITIES)
def test_every_object_belongs_to_the_project_and_the_namespace(identity: Identity) -> None:
    for o in objects(identity):
        assert o["metadata"]["namespace"] == OF.namespace
        assert o["metadata"]["annotations"]["cnrm.cloud.google.com/project-id"] == PROJECT


@pytest.mark.parametrize("identity", IDENTITIES)
def test_no_two_objects_have_one_name(identity: Identity) -> None:
    names = [(o["kind"], o["metadata"]["name"]) for o in objects(identity)]
    assert len(set(names)) == len(names)


def test_every_generated_file_is_part_of_an_overlay() -> None:
    listed = sum(
        text.count("\nkind: ")
        for name, text in files(OF).items()
        if not name.endswith(("kustomization.yaml", "dataset-access.yaml")) and not name.startswith("annotation/")
    )
    assert listed == len(objects("direct"))


def test_what_holds_data_outlives_its_object() -> None:
    for kind in ("StorageBucket", "BigQueryDataset", "BigQueryTable"):
        found = objects("direct", kind)
        assert found
        for o in found:
            assert o["metadata"]["annotations"]["cnrm.cloud.google.com/deletion-policy"] == "abandon"


def test_the_topics_are_those_that_provisioning_makes(made: Provisioned) -> None:
    found = {
        f"projects/{PROJECT}/topics/{name}": (o["metadata"]["labels"], o["spec"])
        for name, o in by_id("PubSubTopic").items()
    }
    assert found == {topic.name: (dict(topic.labels), {}) for topic in made.topics}


def as_subscription(name: str, manifest: Manifest) -> types.Subscription:
    """The subscription that Config Connector makes of an object, in the form of the API."""
    spec = dict(manifest["spec"])

    def seconds(text: str) -> timedelta:
        assert text.endswith("s")
        return timedelta(seconds=float(text.removesuffix("s")))

    made = types.Subscription(
        name=f"projects/{PROJECT}/subscriptions/{name}",
        topic=f"projects/{PROJECT}/topics/{spec.pop('topicRef')['name']}",
        ack_deadline_seconds=spec.pop("ackDeadlineSeconds"),
        message_retention_duration=seconds(spec.pop("messageRetentionDuration")),
        enable_message_ordering=spec.pop("enableMessageOrdering", False),
        labels=manifest["metadata"]["labels"],
    )
    if spec.pop("expirationPolicy") == {"ttl": ""}:
        made.expiration_policy = types.ExpirationPolicy()
    if dead := spec.pop("deadLetterPolicy", None):
        made.dead_letter_policy = types.DeadLetterPolicy(
            dead_letter_topic=f"projects/{PROJECT}/topics/{dead.pop('deadLetterTopicRef')['name']}",
            max_delivery_attempts=dead.pop("maxDeliveryAttempts"),
        )
    if retry := spec.pop("retryPolicy", None):
        made.retry_policy = types.RetryPolicy(
            minimum_backoff=seconds(retry["minimumBackoff"]), maximum_backoff=seconds(retry["maximumBackoff"])
        )
    assert spec == {}, "this test must learn these fields"
    return made


def test_the_subscriptions_are_those_that_provisioning_makes(made: Provisioned) -> None:
    found = [as_subscription(name, o) for name, o in by_id("PubSubSubscription").items()]
    assert sorted(found, key=lambda s: str(s.name)) == sorted(made.subscriptions, key=lambda s: str(s.name))


def test_the_references_of_subscriptions_are_objects_of_the_folder() -> None:
    topics = {o["metadata"]["name"] for o in objects("direct", "PubSubTopic")}
    for o in objects("direct", "PubSubSubscription"):
        assert o["spec"]["topicRef"]["name"] in topics


def test_the_bucket_is_the_one_that_provisioning_makes(made: Provisioned) -> None:
    found = [
        {
            "name": name,
            "location": o["spec"]["location"],
            "labels": o["metadata"]["labels"],
            "uniform": o["spec"]["uniformBucketLevelAccess"],
            "public": o["spec"]["publicAccessPrevention"],
            "lifecycle": o["spec"]["lifecycleRule"],
        }
        for name, o in by_id("StorageBucket").items()
    ]
    assert found == made.buckets


def test_the_lifecycle_deletes_nothing_but_originals_that_were_joined() -> None:
    (bucket,) = objects("direct", "StorageBucket")
    assert set(bucket["spec"]) == {"location", "uniformBucketLevelAccess", "publicAccessPrevention", "lifecycleRule"}
    for rule in bucket["spec"]["lifecycleRule"]:
        assert rule["action"]["type"] in {"SetStorageClass", "AbortIncompleteMultipartUpload", "Delete"}
        if rule["action"]["type"] == "SetStorageClass":
            assert "_state/" not in rule["condition"]["matchesPrefix"]
        if rule["action"]["type"] == "Delete":
            assert rule["condition"]["matchesPrefix"] == ["_compacted/"]


def test_the_datasets_are_those_that_provisioning_makes(made: Provisioned) -> None:
    found = {
        name: (o["spec"]["location"], o["metadata"]["labels"], set(o["spec"]) - {"resourceID", "location", "access"})
        for name, o in by_id("BigQueryDataset").items()
    }
    wanted: dict[str, Any] = {
        d["datasetReference"]["datasetId"]: (d["location"], d["labels"], set()) for d in made.datasets
    }
    assert found == wanted


def as_table(manifest: Manifest) -> dict[str, Any]:
    """The table that Config Connector makes of an object, in the form of the REST API."""
    spec = dict(manifest["spec"])
    datasets = {o["metadata"]["name"]: name for name, o in by_id("BigQueryDataset").items()}
    table: dict[str, Any] = {
        "tableReference": {
            "projectId": PROJECT,
            "datasetId": datasets[spec.pop("datasetRef")["name"]],
            "tableId": spec.pop("resourceID"),
        },
        "schema": {"fields": json.loads(spec.pop("schema"))},
        "description": spec.pop("description"),
        "labels": manifest["metadata"]["labels"],
    }
    if partitioning := spec.pop("timePartitioning", None):
        table["timePartitioning"] = partitioning
    if clustering := spec.pop("clustering", None):
        table["clustering"] = {"fields": clustering}
    assert spec == {}, "this test must learn these fields"
    return table


def test_the_tables_are_those_that_provisioning_makes(made: Provisioned) -> None:
    found = {name: as_table(o) for name, o in by_id("BigQueryTable").items()}
    assert found == {table["tableReference"]["tableId"]: table for table in made.tables}


def test_pubsub_gets_the_grants_that_provisioning_gives(made: Provisioned) -> None:
    plural = {"PubSubTopic": "topics", "PubSubSubscription": "subscriptions"}
    agent = OF.member(PUBSUB_AGENT, "direct")
    found = {
        (f"projects/{PROJECT}/{plural[kind]}/{name}", role, member)
        for kind, name, role, member, _ in bindings("direct")
        if member == agent
    }
    assert found == made.grants


def bindings(identity: Identity) -> Iterator[tuple[str, str, str, str, str]]:
    """Kind, name on the cloud, role, member and condition of every binding."""
    names = {(o["kind"], o["metadata"]["name"]): o["spec"].get("resourceID") for o in objects(identity)}
    dataset = OF.platform.dataset_raw
    for o in objects(identity, "IAMPartialPolicy"):
        reference = o["spec"]["resourceRef"]
        kind = reference["kind"]
        if kind == "Project":
            name = reference["external"].removeprefix("projects/")
        else:
            name = names[kind, reference["name"]] or reference["name"]  # KeyError: no such object
        name = f"{dataset}.{name}" if kind == "BigQueryTable" else name
        for binding in o["spec"]["bindings"]:
            condition = binding.get("condition", {}).get("expression", "")
            for member in binding["members"]:
                yield kind, name, binding["role"], member["member"], condition
    roles = {"READER": "roles/bigquery.dataViewer", "WRITER": "roles/bigquery.dataEditor"}
    for o in objects(identity, "BigQueryDataset"):
        for entry in o["spec"]["access"]:
            if entry["role"] == "OWNER":
                assert entry["specialGroup"] == "projectOwners"
                continue
            yield "BigQueryDataset", o["spec"]["resourceID"], roles[entry["role"]], _member(entry), ""


def _member(entry: dict[str, str]) -> str:
    if "iamMember" in entry:
        return entry["iamMember"]
    if "groupByEmail" in entry:
        return f"group:{entry['groupByEmail']}"
    return f"serviceAccount:{entry['userByEmail']}"


KINDS = {
    "project": "Project",
    "topic": "PubSubTopic",
    "subscription": "PubSubSubscription",
    "bucket": "StorageBucket",
    "dataset": "BigQueryDataset",
    "table": "BigQueryTable",
}


@pytest.mark.parametrize("identity", IDENTITIES)
def test_the_folder_grants_what_the_table_grants_but_for_provisioning(identity: Identity) -> None:
    def row(grant: Grant) -> tuple[str, str, str, str, str]:
        member = OF.member(grant.component, identity)
        name = grant.resource.name
        return KINDS[grant.resource.kind], name, grant.role_name(PROJECT), member, grant.condition

    wanted = [row(grant) for grant in grants(OF.platform) if grant.component != "provision"]
    found = [each for each in bindings(identity) if each[0] != "IAMServiceAccount"]
    assert sorted(found) == sorted(wanted)


def test_with_annotations_each_google_account_may_be_used_by_its_kubernetes_account_alone() -> None:
    found = {(name, member) for kind, name, _, member, _ in bindings("annotation") if kind == "IAMServiceAccount"}
    components = [component for component in COMPONENTS if component != "provision"]
    assert found == {(OF.google_account(c), OF.impersonator(c)) for c in components}
    assert objects("direct", "IAMServiceAccount") == []


def test_every_role_that_is_granted_is_googles_or_in_the_folder() -> None:
    made = {f"projects/{PROJECT}/roles/{name}" for name in by_id("IAMCustomRole")}
    granted = {role for _, _, role, _, _ in bindings("direct") if role.startswith("projects/")}
    assert granted == made


def test_the_roles_of_the_folder_have_the_permissions_of_the_table() -> None:
    permissions = {role.id: list(role.permissions) for role in CUSTOM_ROLES}
    for name, o in by_id("IAMCustomRole").items():
        assert o["spec"]["permissions"] == permissions[name]


def test_the_services_that_the_programs_call_are_switched_on() -> None:
    assert set(by_id("Service")) == set(SERVICES)


@pytest.mark.parametrize("identity", IDENTITIES)
def test_the_accounts_that_are_granted_are_those_that_the_chart_makes(identity: Identity) -> None:
    made = {
        o["metadata"]["name"]: o["metadata"].get("annotations", {}).get("iam.gke.io/gcp-service-account")
        for o in rendered(f"serviceAccounts.workloadIdentity={identity}")
        if o["kind"] == "ServiceAccount"
    }
    emails = {c: OF.google_email(c) if identity == "annotation" else None for c in COMPONENTS}
    assert made == {
        OF.kubernetes_account(component): emails[component] for component in COMPONENTS if component not in OPTIONAL
    }


def test_with_config_connector_the_chart_needs_no_account_for_provisioning() -> None:
    names = {o["metadata"]["name"] for o in rendered("provision.enabled=false") if o["kind"] == "ServiceAccount"}
    assert OF.kubernetes_account("provision") not in names
    assert OF.kubernetes_account("consumer") in names
