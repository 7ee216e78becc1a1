"""The table: which component has which role on which resource, and the call of its code that needs it.

Everything else is made from it: docs/iam.md, the Config Connector objects and the script of gcloud commands.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from dataplatform import schemas
from dataplatform.settings import PlatformSettings
from eydp.iam import roles
from eydp.iam.roles import Role

Kind = Literal["project", "topic", "subscription", "bucket", "dataset", "table"]

#: Components with a service account of their own; Kubernetes names it `{fullname}-{component}`.
COMPONENTS = ("poller", "push", "consumer", "batch", "dbt", "replay", "compact", "provision", "verify")
#: Those that an installation has only when it is told to.
OPTIONAL = ("push",)
#: People with `eydp`.
OPERATOR = "operator"
#: Pub/Sub itself, which moves dead letters.
PUBSUB_AGENT = "pubsub"


@dataclass(frozen=True, slots=True)
class Resource:
    """What a role is granted on. A table's name is `dataset.table`; all names are without their project."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Grant:
    """One row. With `prefixes` it holds for objects of the bucket whose names start with one of them, and no others."""

    component: str
    role: Role
    resource: Resource
    reason: str
    prefixes: tuple[str, ...] = ()

    def role_name(self, project: str) -> str:
        """Return the role as IAM calls it."""
        return self.role if isinstance(self.role, str) else self.role.name(project)

    @property
    def condition(self) -> str:
        """Return the CEL expression of the condition; empty when there is none."""
        start = f"projects/_/buckets/{self.resource.name}/objects/"
        return " || ".join(f'resource.name.startsWith("{start}{prefix}")' for prefix in self.prefixes)


def grants(platform: PlatformSettings) -> tuple[Grant, ...]:
    """Return all rows for the names that are configured."""
    rows: list[Grant] = []
    for part in (_poller, _push, _consumer, _batch, _dbt, _replay, _compact, _provision, _verify, _operator, _pubsub):
        rows += part(_Names(platform))
    return tuple(rows)


class _Names:
    """The resources of an installation."""

    def __init__(self, platform: PlatformSettings) -> None:
        self.project = Resource("project", platform.project)
        self.events = Resource("topic", platform.topic)
        self.dead_letters = Resource("topic", platform.dead_letter_topic)
        self.events_sub = Resource("subscription", platform.subscription)
        self.dead_letters_sub = Resource("subscription", platform.dead_letter_subscription)
        self.pushed = Resource("topic", platform.push_topic)
        self.pushed_sub = Resource("subscription", platform.push_subscription)
        self.bucket = Resource("bucket", platform.bucket_name)
        self.raw = Resource("dataset", platform.dataset_raw)
        self.marts = Resource("dataset", platform.dataset_analytics)

    def table(self, table: schemas.Table) -> Resource:
        return Resource("table", f"{self.raw.name}.{table.name}")


def _poller(on: _Names) -> Iterator[Grant]:
    me = "poller"
    yield Grant(me, roles.PUBLISHER, on.events, "publishes the events; its start-up check asks for this permission")
    yield Grant(
        me,
        roles.SUBSCRIPTION_CONSUMER,
        on.pushed_sub,
        "takes the carts that were pushed, if it is told to; looks for the subscription when it starts",
    )
    yield Grant(
        me,
        roles.BUCKET_READER,
        on.bucket,
        "looks for the bucket when it starts; without the right to list, a state that is not there is a refusal",
    )
    yield Grant(
        me,
        roles.STATE_WRITER,
        on.bucket,
        "reads its state and replaces it when carts have changed; replacing needs the right to delete",
        ("_state/poller/",),
    )
    yield Grant(
        me,
        roles.OBJECT_CREATOR,
        on.bucket,
        "keeps carts that can't become events; reads whether they are there already",
        ("quarantine/carts_events/",),
    )


def _push(on: _Names) -> Iterator[Grant]:
    yield Grant("push", roles.PUBLISHER, on.pushed, "publishes what clients push; its start-up check asks for this")


def _consumer(on: _Names) -> Iterator[Grant]:
    me = "consumer"
    yield Grant(
        me,
        roles.SUBSCRIPTION_CONSUMER,
        on.events_sub,
        "pulls, extends leases, acknowledges; looks for the subscription when it starts",
    )
    yield Grant(
        me,
        roles.BUCKET_READER,
        on.bucket,
        "looks for the bucket when it starts; without the right to list, an object that is not there is a refusal",
    )
    yield Grant(
        me,
        roles.OBJECT_CREATOR,
        on.bucket,
        "archives batches and quarantined messages; after a lost answer it compares what is there",
        ("carts_events/", "quarantine/carts_events/"),
    )
    yield Grant(
        me,
        roles.ROW_WRITER,
        on.table(schemas.CART_EVENTS),
        "creates its write stream, appends rows, finalises the stream; looks at the table when it starts",
    )
    yield Grant(
        me, roles.ROW_READER, on.table(schemas.CART_EVENTS), "asks which of the redelivered events the table holds"
    )
    yield Grant(
        me, roles.ROW_WRITER, on.table(schemas.QUARANTINE), "appends quarantined messages; looks at the table at start"
    )
    yield Grant(me, roles.JOB_USER, on.project, "the question about redelivered events is a query job")


def _batch(on: _Names) -> Iterator[Grant]:
    me = "batch"
    yield Grant(
        me,
        roles.BUCKET_READER,
        on.bucket,
        "looks for the bucket when it starts; load jobs look for their objects with the loader's rights",
    )
    yield Grant(
        me,
        roles.OBJECT_CREATOR,
        on.bucket,
        "writes parts, quarantine and manifests; load jobs read the parts with the loader's rights",
        (
            "products/",
            "users/",
            "quarantine/products/",
            "quarantine/users/",
            "_manifests/products/",
            "_manifests/users/",
        ),
    )
    yield Grant(
        me,
        roles.STATE_WRITER,
        on.bucket,
        "holds a lease, notes what the tables hold, claims runs",
        ("_state/batch/",),
    )
    for table in (schemas.PRODUCTS, schemas.USERS):
        yield Grant(me, roles.ROW_WRITER, on.table(table), "one statement merges the records of a run")
        yield Grant(me, roles.ROW_READER, on.table(table), "which compares; and counts what the table holds")
    for table in schemas.WORK_TABLES:
        yield Grant(me, roles.TABLE_LOADER, on.table(table), "load jobs fill it, and it is emptied afterwards")
        yield Grant(me, roles.ROW_READER, on.table(table), "the statement that merges reads it")
    yield Grant(me, roles.TABLE_LOADER, on.table(schemas.QUARANTINE), "load jobs append quarantined records")
    yield Grant(me, roles.ROW_READER, on.table(schemas.QUARANTINE), "asks whether they are there already")
    yield Grant(me, roles.TABLE_LOADER, on.table(schemas.LOAD_AUDIT), "load jobs append one row for each try")
    yield Grant(me, roles.JOB_USER, on.project, "starts load and query jobs")


def _dbt(on: _Names) -> Iterator[Grant]:
    me = "dbt"
    yield Grant(me, roles.DATA_VIEWER, on.raw, "models select from the raw tables; dbt docs reads the catalogue")
    yield Grant(
        me, roles.DATA_EDITOR, on.marts, "creates, replaces, describes and drops the views and tables of the models"
    )
    yield Grant(me, roles.TABLE_LOADER, on.table(schemas.LOAD_AUDIT), "a load job appends one row for each daily run")
    yield Grant(me, roles.OBJECT_CREATOR, on.bucket, "keeps the artifacts of each daily run", ("_dbt/",))
    yield Grant(me, roles.STATE_WRITER, on.bucket, "one daily run at a time: it holds a lease", ("_state/dbt/",))
    yield Grant(me, roles.JOB_USER, on.project, "every model and test is a query job; marts are published by copy jobs")


def _replay(on: _Names) -> Iterator[Grant]:
    me = "replay"
    yield Grant(me, roles.BUCKET_READER, on.bucket, "lists the objects of the days that it compares")
    yield Grant(
        me,
        roles.OBJECT_READER,
        on.bucket,
        "reads cart events, joined and retired ones too, and quarantined records",
        ("carts_events/", "_compacted/carts_events/", "_manifests/carts_events/", "quarantine/"),
    )
    yield Grant(me, roles.STATE_WRITER, on.bucket, "one replay at a time: it holds a lease", ("_state/replay/",))
    yield Grant(
        me,
        roles.DATA_EDITOR,
        on.raw,
        "creates, fills and drops a staging table; appends rows, removes old doubles, and writes an audit row",
    )
    yield Grant(me, roles.JOB_USER, on.project, "starts load and query jobs")


def _compact(on: _Names) -> Iterator[Grant]:
    me = "compact"
    yield Grant(me, roles.BUCKET_READER, on.bucket, "lists the objects of the day that it joins")
    yield Grant(
        me,
        roles.STATE_WRITER,
        on.bucket,
        "writes joined objects, deletes originals that were copied and checked; holds a lease",
        ("carts_events/", "_state/replay/"),
    )
    yield Grant(
        me,
        roles.OBJECT_CREATOR,
        on.bucket,
        "copies originals to where they expire; says in a manifest what a joined object holds",
        ("_compacted/carts_events/", "_manifests/carts_events/"),
    )


def _provision(on: _Names) -> Iterator[Grant]:
    me = "provision"
    yield Grant(
        me,
        roles.PROVISIONER,
        on.project,
        "creates topics, subscriptions, bucket, datasets and tables, extends them, and grants Pub/Sub what is below",
    )
    yield Grant(me, roles.JOB_USER, on.project, "reads the project's number through BigQuery")


def _verify(on: _Names) -> Iterator[Grant]:
    yield from _checks("verify", on)


def _operator(on: _Names) -> Iterator[Grant]:
    me = OPERATOR
    yield from _checks(me, on)
    yield Grant(
        me,
        roles.STATE_WRITER,
        on.bucket,
        "one redrive or replay at a time: it holds a lease",
        ("_state/redrive/", "_state/replay/"),
    )


def _checks(me: str, on: _Names) -> Iterator[Grant]:
    """Yield what `eydp doctor` asks for: every right that some program needs; `verify` and redrives use parts of it."""
    for topic, why in (
        (on.events, "eydp doctor asks for it; eydp quarantine and eydp dlq publish again"),
        (on.dead_letters, "eydp doctor asks whether dead letters can be published"),
        (on.pushed, "eydp doctor asks whether pushed carts can be published"),
    ):
        yield Grant(me, roles.PUBLISHER, topic, why)
        yield Grant(me, roles.PUBSUB_VIEWER, topic, "eydp doctor looks at the topic")
    yield Grant(me, roles.SUBSCRIPTION_CONSUMER, on.events_sub, "eydp doctor compares it and asks for this right")
    yield Grant(me, roles.SUBSCRIPTION_CONSUMER, on.pushed_sub, "eydp doctor compares it and asks for this right")
    yield Grant(me, roles.SUBSCRIPTION_CONSUMER, on.dead_letters_sub, "likewise; eydp dlq lists, redrives and discards")
    yield Grant(me, roles.BUCKET_READER, on.bucket, "eydp verify lists the objects")
    yield Grant(
        me,
        roles.OBJECT_CREATOR,
        on.bucket,
        "eydp verify reads the raw zone, eydp quarantine the originals; eydp doctor asks for both rights on the bucket",
    )
    yield Grant(
        me,
        roles.DATA_EDITOR,
        on.raw,
        "eydp doctor asks for reading and writing on every raw table; eydp quarantine records what was done",
    )
    yield Grant(me, roles.DATA_VIEWER, on.marts, "eydp doctor looks at it; eydp verify and eydp sql read it")
    yield Grant(me, roles.JOB_USER, on.project, "eydp sql, verify and quarantine are query and load jobs")


def _pubsub(on: _Names) -> Iterator[Grant]:
    me = PUBSUB_AGENT
    yield Grant(me, roles.PUBLISHER, on.dead_letters, "Pub/Sub publishes dead letters under its own account")
    yield Grant(me, roles.SUBSCRIBER, on.events_sub, "and acknowledges what it moved")
