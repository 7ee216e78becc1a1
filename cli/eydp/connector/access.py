"""Who may do what, as Config Connector objects: roles, one partial policy a resource, access lists of datasets."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from eydp.connector.objects import Manifest, kubernetes_name, manifest
from eydp.connector.resources import dataset_name, table_name
from eydp.iam.gcloud import condition_title
from eydp.iam.grants import COMPONENTS, Grant, Resource, grants
from eydp.iam.installation import Identity, Installation
from eydp.iam.roles import CUSTOM_ROLES, DATA_EDITOR, DATA_VIEWER, PROVISIONER, WORKLOAD_IDENTITY_USER

#: Config Connector makes what the provisioning hook would make, so that its account is not needed.
_NOT_NEEDED = "provision"
#: BigQuery stores these roles of a dataset under their old names, and another name would never be in sync.
_DATASET_ROLES = {DATA_VIEWER: "READER", DATA_EDITOR: "WRITER"}
_ACCESS_KEYS = {"serviceAccount": "userByEmail", "user": "userByEmail", "group": "groupByEmail", "domain": "domain"}


def custom_roles(of: Installation) -> list[Manifest]:
    """Return the roles of the project."""
    return [
        manifest(
            "iam",
            "IAMCustomRole",
            kubernetes_name("".join(f"-{c}" if c.isupper() else c for c in role.id)),
            of.project,
            {"resourceID": role.id, "title": role.title, "permissions": list(role.permissions), "stage": "GA"},
            keep=True,  # a deleted role's name is blocked for weeks
        )
        for role in CUSTOM_ROLES
        if role is not PROVISIONER
    ]


def google_accounts(of: Installation) -> list[Manifest]:
    """Return the Google service accounts and who may act as them, for the identity `annotation`."""
    made = []
    for component in COMPONENTS:
        if component == _NOT_NEEDED:
            continue
        name = of.google_account(component)
        made.append(manifest("iam", "IAMServiceAccount", name, of.project, {"displayName": f"EYDP {component}"}))
        binding = {"role": WORKLOAD_IDENTITY_USER, "members": [{"member": of.impersonator(component)}]}
        made.append(_policy(f"{name}-impersonation", {"kind": "IAMServiceAccount", "name": name}, [binding], of))
    return made


def policies(of: Installation, identity: Identity) -> list[Manifest]:
    """Return a partial policy for each resource but datasets; bindings of others on it are left alone."""
    return [
        _policy(f"{kubernetes_name(f'{resource.kind}-{resource.name}')}-grants", _reference(resource, of), bindings, of)
        for resource, rows in _by_resource(of)
        if resource.kind != "dataset"
        for bindings in [list(_bindings(rows, of, identity))]
    ]


def dataset_access(of: Installation, identity: Identity) -> list[Manifest]:
    """Return the access list of each dataset as a patch. A list is all there is: who is not in it has no access."""
    patches = []
    for resource, rows in _by_resource(of):
        if resource.kind != "dataset":
            continue
        access: list[dict[str, str]] = [{"role": "OWNER", "specialGroup": "projectOwners"}]
        access += [
            {"role": _DATASET_ROLES[row.role_name(of.project)], **_entry(of.member(row.component, identity))}
            for row in rows
        ]
        patches.append(
            {
                "apiVersion": "bigquery.cnrm.cloud.google.com/v1beta1",
                "kind": "BigQueryDataset",
                "metadata": {"name": dataset_name(resource.name)},
                "spec": {"access": access},
            }
        )
    return patches


def _entry(member: str) -> dict[str, str]:
    kind, _, rest = member.partition(":")
    return {_ACCESS_KEYS[kind]: rest} if kind in _ACCESS_KEYS else {"iamMember": member}


def _by_resource(of: Installation) -> Iterator[tuple[Resource, list[Grant]]]:
    def place(row: Grant) -> tuple[str, str]:
        return row.resource.kind, row.resource.name

    rows = sorted((row for row in grants(of.platform) if row.component != _NOT_NEEDED), key=place)
    for _, group in groupby(rows, place):
        held = list(group)
        yield held[0].resource, held


def _bindings(rows: Iterable[Grant], of: Installation, identity: Identity) -> Iterator[dict[str, Any]]:
    def binding(row: Grant) -> tuple[str, str]:
        return row.role_name(of.project), row.condition

    for (role, condition), group in groupby(sorted(rows, key=binding), binding):
        held = list(group)
        members = [{"member": member} for member in dict.fromkeys(of.member(row.component, identity) for row in held)]
        made: dict[str, Any] = {"role": role, "members": members}
        if condition:
            made["condition"] = {"title": condition_title(held[0]), "expression": condition}
        yield made


def _reference(resource: Resource, of: Installation) -> dict[str, str]:
    match resource.kind:
        case "project":
            return {"kind": "Project", "external": f"projects/{of.project}"}
        case "topic":
            return {"kind": "PubSubTopic", "name": resource.name}
        case "subscription":
            return {"kind": "PubSubSubscription", "name": resource.name}
        case "bucket":
            return {"kind": "StorageBucket", "name": resource.name}
        case "table":
            dataset, _, table = resource.name.partition(".")
            return {"kind": "BigQueryTable", "name": table_name(dataset, table)}
        case "dataset":
            raise ValueError("a dataset's grants are in its access list")


def _policy(name: str, reference: dict[str, str], bindings: list[dict[str, Any]], of: Installation) -> Manifest:
    spec = {"resourceRef": reference, "bindings": bindings}
    return manifest("iam", "IAMPartialPolicy", name, of.project, spec)
