"""Rows of the raw tables, as the batch loader and the consumer write them."""

from typing import Any

from dataplatform.models import event_id
from localcloud.fakestore.data import real_records

type Row = dict[str, Any]

SOURCE = "fakestore"
EPOCH = 1_700_000_000_000
NOON = "2026-11-24T12:00:00Z"


def product_row(product_id: int, title: str, price: str, *, ingested_at: str = NOON) -> Row:
    return {
        "id": product_id,
        "title": title,
        "price": price,
        "category": "books",
        "payload": "{}",
        **_load(ingested_at),
    }


def golden_product_rows() -> list[Row]:
    return [
        {
            "id": product["id"],
            "title": product["title"],
            "price": str(product["price"]),
            "description": product["description"],
            "category": product["category"],
            "image": product["image"],
            "rating_rate": product["rating"]["rate"],
            "rating_count": product["rating"]["count"],
            "payload": "{}",
            **_load(NOON),
        }
        for product in real_records("products")
    ]


def golden_user_rows() -> list[Row]:
    return [
        {
            "id": user["id"],
            "email": user["email"],
            "username": user["username"],
            "firstname": user["name"]["firstname"],
            "lastname": user["name"]["lastname"],
            "phone": user["phone"],
            "city": user["address"]["city"],
            "street": user["address"]["street"],
            "street_number": user["address"]["number"],
            "zipcode": user["address"]["zipcode"],
            "latitude": user["address"]["geolocation"]["lat"],
            "longitude": user["address"]["geolocation"]["long"],
            "payload": "{}",
            **_load(NOON),
        }
        for user in real_records("users")
    ]


def event_row(
    cart_id: int,
    lines: dict[int, int] | list[tuple[int, int]],
    *,
    version: int = 1,
    epoch: int = EPOCH,
    event_type: str = "cart_created",
    user_id: int | None = 1,
    cart_date: str | None = "2020-03-02T00:00:00Z",
    ingested_at: str = NOON,
    message_id: str | None = None,
    total_items: int | None = None,
) -> Row:
    """Return the row of one event. `lines` are (product id, quantity); the total is theirs unless it is given."""
    pairs = list(lines.items()) if isinstance(lines, dict) else lines
    identity = event_id(SOURCE, epoch, cart_id, version)
    return {
        "event_id": identity,
        "event_type": event_type,
        "schema_version": 1,
        "source": SOURCE,
        "epoch": epoch,
        "cart_id": cart_id,
        "version": version,
        "user_id": user_id,
        "cart_date": cart_date,
        "products": [{"product_id": product_id, "quantity": quantity} for product_id, quantity in pairs],
        "total_items": sum(quantity for _, quantity in pairs) if total_items is None else total_items,
        "observed_at": NOON,
        "published_at": NOON,
        "ingested_at": ingested_at,
        "message_id": message_id or f"m-{identity}",
        "raw_uri": "gs://local-project-raw-data/carts_events/test.jsonl.gz",
        "payload": "{}",
    }


def deleted_row(cart_id: int, *, version: int, ingested_at: str = NOON) -> Row:
    return event_row(
        cart_id,
        {},
        version=version,
        event_type="cart_deleted",
        user_id=None,
        cart_date=None,
        ingested_at=ingested_at,
    )


def golden_event_rows() -> list[Row]:
    return [
        event_row(
            cart["id"],
            [(line["productId"], line["quantity"]) for line in cart["products"]],
            user_id=cart["userId"],
            cart_date=cart["date"],
        )
        for cart in real_records("carts")
    ]


def _load(ingested_at: str) -> Row:
    return {
        "source": SOURCE,
        "run_id": "test",
        "ingested_at": ingested_at,
        "raw_uri": "gs://local-project-raw-data/products/test.jsonl.gz",
    }
