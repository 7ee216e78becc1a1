"""Roles: Google's own where they are narrow enough, the platform's where Google's allow more than is used."""

from dataclasses import dataclass

PUBLISHER = "roles/pubsub.publisher"
SUBSCRIBER = "roles/pubsub.subscriber"
PUBSUB_VIEWER = "roles/pubsub.viewer"
JOB_USER = "roles/bigquery.jobUser"
DATA_VIEWER = "roles/bigquery.dataViewer"
DATA_EDITOR = "roles/bigquery.dataEditor"
WORKLOAD_IDENTITY_USER = "roles/iam.workloadIdentityUser"


@dataclass(frozen=True, slots=True)
class CustomRole:
    """A role of the project. `instead_of` is Google's role that would do, `without` what that one would allow too."""

    id: str
    title: str
    permissions: tuple[str, ...]
    instead_of: str
    without: str

    def name(self, project: str) -> str:
        """Return the role's full name in a project."""
        return f"projects/{project}/roles/{self.id}"


BUCKET_READER = CustomRole(
    "eydpBucketReader",
    "EYDP: look at the bucket",
    ("storage.buckets.get", "storage.objects.list"),
    "roles/storage.bucketViewer and roles/storage.objectViewer",
    "reading every object",
)
OBJECT_CREATOR = CustomRole(
    "eydpObjectCreator",
    "EYDP: add objects and read them",
    ("storage.objects.create", "storage.objects.get"),
    "roles/storage.objectUser",
    "overwriting and deleting what is in the raw zone",
)
OBJECT_READER = CustomRole(
    "eydpObjectReader",
    "EYDP: read objects",
    ("storage.objects.get",),
    "roles/storage.objectViewer",
    "listing objects and folders",
)
STATE_WRITER = CustomRole(
    "eydpStateWriter",
    "EYDP: replace state objects",
    ("storage.objects.create", "storage.objects.delete", "storage.objects.get"),
    "roles/storage.objectUser",
    "changing metadata and retention of objects",
)
SUBSCRIPTION_CONSUMER = CustomRole(
    "eydpSubscriptionConsumer",
    "EYDP: pull and look at the subscription",
    ("pubsub.subscriptions.consume", "pubsub.subscriptions.get"),
    "roles/pubsub.subscriber and roles/pubsub.viewer",
    "attaching subscriptions, seeking to snapshots, listing what else the project has",
)
ROW_READER = CustomRole(
    "eydpRowReader",
    "EYDP: read rows of a table",
    ("bigquery.tables.get", "bigquery.tables.getData"),
    DATA_VIEWER,
    "exporting and snapshotting the table",
)
ROW_WRITER = CustomRole(
    "eydpRowWriter",
    "EYDP: append rows to a table",
    ("bigquery.tables.get", "bigquery.tables.updateData"),
    DATA_EDITOR,
    "reading, altering and deleting the table",
)
TABLE_LOADER = CustomRole(
    "eydpTableLoader",
    "EYDP: load a table that exists",
    ("bigquery.tables.get", "bigquery.tables.update", "bigquery.tables.updateData"),
    DATA_EDITOR,
    "reading and deleting the table",
)
PROVISIONER = CustomRole(
    "eydpProvisioner",
    "EYDP: create and extend what the platform needs",
    (
        "bigquery.datasets.create",
        "bigquery.datasets.get",
        "bigquery.datasets.update",
        "bigquery.tables.create",
        "bigquery.tables.get",
        "bigquery.tables.update",
        "pubsub.subscriptions.create",
        "pubsub.subscriptions.get",
        "pubsub.subscriptions.getIamPolicy",
        "pubsub.subscriptions.setIamPolicy",
        "pubsub.subscriptions.update",
        "pubsub.topics.attachSubscription",
        "pubsub.topics.create",
        "pubsub.topics.get",
        "pubsub.topics.getIamPolicy",
        "pubsub.topics.setIamPolicy",
        "pubsub.topics.update",
        "storage.buckets.create",
        "storage.buckets.get",
        "storage.buckets.update",
    ),
    "roles/pubsub.admin, roles/bigquery.admin and roles/storage.admin",
    "deleting anything, and reading messages, rows and objects",
)

CUSTOM_ROLES: tuple[CustomRole, ...] = (
    BUCKET_READER,
    OBJECT_CREATOR,
    OBJECT_READER,
    STATE_WRITER,
    SUBSCRIPTION_CONSUMER,
    ROW_READER,
    ROW_WRITER,
    TABLE_LOADER,
    PROVISIONER,
)

Role = str | CustomRole
