"""What the loader loads: for each entity its route, its contract, its table and the columns made of a record."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter

from batch_ingest.rows import Columns, product_columns, user_columns
from dataplatform import schemas
from dataplatform.models import PRODUCT, USER


@dataclass(frozen=True, slots=True)
class Entity:
    """One kind of record.

    `personal` records are never kept in the text that the shop sent: it may hold a secret that parsing does not
    show, such as the first of two fields of one name.
    """

    name: str
    path: str
    adapter: TypeAdapter[Any]
    table: schemas.Table
    columns: Callable[[Any], Columns]
    personal: bool


ENTITIES: Mapping[str, Entity] = MappingProxyType(
    {
        "products": Entity("products", "/products", PRODUCT, schemas.PRODUCTS, product_columns, personal=False),
        "users": Entity("users", "/users", USER, schemas.USERS, user_columns, personal=True),
    }
)
