"""The BigQuery tables of the platform, in one place: provisioning, loads, appends and docs read them here.

Plain data, so that importing it needs no Google library. `api_fields()` turns columns into what the REST API takes.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

FieldType = Literal["STRING", "INT64", "FLOAT64", "NUMERIC", "BOOL", "TIMESTAMP", "DATE", "JSON", "STRUCT"]
Mode = Literal["NULLABLE", "REQUIRED", "REPEATED"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its BigQuery name, standard-SQL type, mode and the sentence that analysts read."""

    name: str
    type: FieldType
    description: str
    mode: Mode = "NULLABLE"
    fields: tuple["Column", ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """One table of dataset `bq_raw`: columns, partitioning by day of one column, clustering."""

    name: str
    description: str
    columns: tuple[Column, ...]
    partition_by: str | None = None
    cluster_by: tuple[str, ...] = ()
    labels: Mapping[str, str] | None = None

    def column(self, name: str) -> Column:
        """Return the column called `name`; raises KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


#: What is kept of the past of a row whose table holds the last version only.
_HISTORY = (
    Column("valid_from", "TIMESTAMP", "Since when the row is as it is: when its version, or its removal, came."),
    Column("_digest", "STRING", "Digest of the record and of the columns made of it."),
    Column("_deleted", "BOOL", "True when the last load no longer had the record; the row is its last version."),
)

PRODUCTS = Table(
    name="Products",
    description="One row for each product the shop ever had, as of the last batch load; see _deleted.",
    cluster_by=("id",),
    columns=(
        Column("id", "INT64", "The shop's product id, the key.", "REQUIRED"),
        Column("title", "STRING", "Product title as received, spaces kept.", "REQUIRED"),
        Column("price", "NUMERIC", "Unit price in the shop's currency.", "REQUIRED"),
        Column("description", "STRING", "Product description."),
        Column("category", "STRING", "Category name as received.", "REQUIRED"),
        Column("image", "STRING", "Address of the product picture."),
        Column("rating_rate", "FLOAT64", "Mean customer rating, 0 to 5."),
        Column("rating_count", "INT64", "Number of ratings."),
        Column("source", "STRING", "Name of the shop.", "REQUIRED"),
        Column("run_id", "STRING", "The batch run that brought this version of the record.", "REQUIRED"),
        Column("ingested_at", "TIMESTAMP", "When this version of the record was first received.", "REQUIRED"),
        Column("raw_uri", "STRING", "The raw zone object that holds the record.", "REQUIRED"),
        Column("payload", "JSON", "The record as received, unknown fields included."),
        *_HISTORY,
    ),
)

USERS = Table(
    name="Users",
    description="One row for each user the shop ever had, as of the last load; see _deleted. Holds personal data.",
    cluster_by=("id",),
    columns=(
        Column("id", "INT64", "The shop's user id, the key.", "REQUIRED"),
        Column("email", "STRING", "Personal data: e-mail address."),
        Column("username", "STRING", "Personal data: login name."),
        Column("firstname", "STRING", "Personal data: first name."),
        Column("lastname", "STRING", "Personal data: last name."),
        Column("phone", "STRING", "Personal data: telephone number."),
        Column("city", "STRING", "City of the address."),
        Column("street", "STRING", "Personal data: street of the address."),
        Column("street_number", "INT64", "Personal data: house number."),
        Column("zipcode", "STRING", "Postal code."),
        Column("latitude", "STRING", "Personal data: latitude, as the text the shop sends."),
        Column("longitude", "STRING", "Personal data: longitude, as the text the shop sends."),
        Column("source", "STRING", "Name of the shop.", "REQUIRED"),
        Column("run_id", "STRING", "The batch run that brought this version of the record.", "REQUIRED"),
        Column("ingested_at", "TIMESTAMP", "When this version of the record was first received.", "REQUIRED"),
        Column("raw_uri", "STRING", "The raw zone object that holds the record.", "REQUIRED"),
        Column("payload", "JSON", "Holds personal data: the record as received, without the password."),
        *_HISTORY,
    ),
)


def _loading(table: Table) -> Table:
    """Return the table that the load jobs of `table` fill first: what a part's line holds, and nothing of the run."""
    ours = {"run_id", "ingested_at", "valid_from", "_deleted"}
    return Table(
        name=f"{table.name}_load",
        description=f"Records on their way into {table.name}: empty unless a batch run is at work.",
        columns=tuple(column for column in table.columns if column.name not in ours),
    )


PRODUCTS_LOAD = _loading(PRODUCTS)
USERS_LOAD = _loading(USERS)

CART_EVENTS = Table(
    name="carts_events",
    description="One row for each delivery of a cart event that was appended; stg_cart_events has one a event_id.",
    partition_by="observed_at",
    cluster_by=("cart_id",),
    columns=(
        Column(
            "event_id",
            "STRING",
            "UUID v5 of source, epoch, cart id and version: the event's key.",
            "REQUIRED",
        ),
        Column("event_type", "STRING", "cart_created, cart_updated or cart_deleted.", "REQUIRED"),
        Column("schema_version", "INT64", "Version of the event's format, 1.", "REQUIRED"),
        Column("source", "STRING", "Name of the shop.", "REQUIRED"),
        Column(
            "epoch",
            "INT64",
            "Start of the poller's state in ms since 1970; orders versions across a lost state.",
            "REQUIRED",
        ),
        Column("cart_id", "INT64", "The shop's cart id.", "REQUIRED"),
        Column("version", "INT64", "Counts the changes of one cart within its epoch, from 1.", "REQUIRED"),
        Column("user_id", "INT64", "Owner of the cart; null when deleted."),
        Column("cart_date", "TIMESTAMP", "The cart's own date; null when deleted."),
        Column(
            "products",
            "STRUCT",
            "The cart's lines; empty when deleted.",
            "REPEATED",
            fields=(
                Column("product_id", "INT64", "The shop's product id."),
                Column("quantity", "INT64", "Items of that product."),
            ),
        ),
        Column("total_items", "INT64", "Sum of the quantities.", "REQUIRED"),
        Column("observed_at", "TIMESTAMP", "When the poller saw the change; part of the event.", "REQUIRED"),
        Column("published_at", "TIMESTAMP", "When Pub/Sub accepted the message.", "REQUIRED"),
        Column("ingested_at", "TIMESTAMP", "When the consumer flushed the batch.", "REQUIRED"),
        Column("message_id", "STRING", "Pub/Sub message id of this delivery.", "REQUIRED"),
        Column("raw_uri", "STRING", "The raw zone object that holds the line.", "REQUIRED"),
        Column("payload", "JSON", "The event as published, unknown fields included.", "REQUIRED"),
    ),
)

QUARANTINE = Table(
    name="quarantine",
    description="One row for each record that could not become a row, with the reason and the original bytes.",
    partition_by="quarantined_at",
    cluster_by=("entity", "reason"),
    columns=(
        Column(
            "quarantine_id",
            "STRING",
            "Stable id of the record: the same bytes from the same place.",
            "REQUIRED",
        ),
        Column("entity", "STRING", "carts_events, products or users.", "REQUIRED"),
        Column("stage", "STRING", "Where it failed: decode, append, parse or dead_letter.", "REQUIRED"),
        Column("reason", "STRING", "Why, as a short code.", "REQUIRED"),
        Column("detail", "STRING", "Why, as a sentence."),
        Column("source", "STRING", "Name of the shop, when known."),
        Column("message_id", "STRING", "Pub/Sub message id, for events."),
        Column("published_at", "TIMESTAMP", "When Pub/Sub accepted the message, for events."),
        Column("delivery_attempt", "INT64", "Delivery attempt, for events."),
        Column("attributes", "JSON", "Message attributes, for events."),
        Column("original", "STRING", "Original bytes in base64; empty when only the object holds them.", "REQUIRED"),
        Column("quarantined_at", "TIMESTAMP", "When it was put here.", "REQUIRED"),
        Column("raw_uri", "STRING", "The quarantine object that holds the line.", "REQUIRED"),
    ),
)

QUARANTINE_ACTIONS = Table(
    name="quarantine_actions",
    description="One row for each step that a person took with a quarantined record; rows are only ever added.",
    partition_by="acted_at",
    cluster_by=("quarantine_id",),
    columns=(
        Column("quarantine_id", "STRING", "The entry of bq_raw.quarantine.", "REQUIRED"),
        Column("action", "STRING", "redrive_started, redriven or discarded.", "REQUIRED"),
        Column("attempt", "INT64", "Redrives of the entry so far, this one included, from 1.", "REQUIRED"),
        Column("run_id", "STRING", "The run of the command.", "REQUIRED"),
        Column("message_id", "STRING", "Pub/Sub message id of the copy, when redriven."),
        Column("acted_at", "TIMESTAMP", "When it was done.", "REQUIRED"),
        Column("note", "STRING", "Why, when discarded."),
    ),
)

LOAD_AUDIT = Table(
    name="load_audit",
    description="One row for each load, replay, rebuild, dbt run or forgetting that was tried.",
    partition_by="started_at",
    cluster_by=("entity",),
    columns=(
        Column("run_id", "STRING", "The run's name.", "REQUIRED"),
        Column("entity", "STRING", "products, users, carts_events, quarantine, dbt, rebuild or forget.", "REQUIRED"),
        Column("logical_date", "DATE", "The day the run is for.", "REQUIRED"),
        Column("started_at", "TIMESTAMP", "Start.", "REQUIRED"),
        Column("finished_at", "TIMESTAMP", "End.", "REQUIRED"),
        Column("source_count", "INT64", "Records the source sent; of replay and forget the lines read."),
        Column("valid_count", "INT64", "Records that passed validation."),
        Column("quarantined_count", "INT64", "Records put in quarantine."),
        Column("loaded_count", "INT64", "Rows in the table after the load; of replay the rows appended."),
        Column("bytes", "INT64", "Compressed bytes of the run's objects in the raw zone."),
        Column("objects", "STRING", "Raw zone objects of the run.", "REPEATED"),
        Column("job_ids", "STRING", "BigQuery jobs of the run.", "REPEATED"),
        Column("outcome", "STRING", "loaded, refused or failed.", "REQUIRED"),
        Column("error", "STRING", "The sentence that says what failed."),
    ),
)

RAW_TABLES: tuple[Table, ...] = (PRODUCTS, USERS, CART_EVENTS, QUARANTINE, QUARANTINE_ACTIONS, LOAD_AUDIT)
#: Tables that programs work in. They are provisioned, and hold nothing that anybody should read.
WORK_TABLES: tuple[Table, ...] = (PRODUCTS_LOAD, USERS_LOAD)

_LEGACY_TYPES = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD"}


def api_fields(columns: Iterable[Column]) -> list[dict[str, Any]]:
    """Return columns in the REST API's form (`TableFieldSchema`), as loads and table creation take them."""
    return list(_api_fields(columns))


def _api_fields(columns: Iterable[Column]) -> Iterator[dict[str, Any]]:
    for column in columns:
        field: dict[str, Any] = {
            "name": column.name,
            "type": _LEGACY_TYPES.get(column.type, column.type),
            "mode": column.mode,
            "description": column.description,
        }
        if column.fields:
            field["fields"] = api_fields(column.fields)
        yield field
