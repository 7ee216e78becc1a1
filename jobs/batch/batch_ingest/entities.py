"""What the loader loads: for each entity its route, its contract, its tables and the columns made of a record."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter

from batch_ingest.rows import product_columns, user_columns
from dataplatform import schemas
from dataplatform.models import PRODUCT, USER, Product, User


@dataclass(frozen=True, slots=True)
class Entity:
    """One kind of record.

    `fields` are the names that a record of it is known to have. `personal` records are never kept in the text that
    the shop sent: it may hold a secret that parsing does not show, such as the first of two fields of one name.
    """

    name: str
    path: str
    adapter: TypeAdapter[Any]
    fields: frozenset[str]
    table: schemas.Table
    load_table: schemas.Table
    columns: Callable[[Any], str]
    personal: bool
    unused: frozenset[str]
    """Fields of the source that are known and make no column."""


ENTITIES: Mapping[str, Entity] = MappingProxyType(
    {
        "products": Entity(
            "products",
            "/products",
            PRODUCT,
            frozenset(Product.__annotations__),
            schemas.PRODUCTS,
            schemas.PRODUCTS_LOAD,
            product_columns,
            personal=False,
            unused=frozenset(),
        ),
        "users": Entity(
            "users",
            "/users",
            USER,
            frozenset(User.__annotations__),
            schemas.USERS,
            schemas.USERS_LOAD,
            user_columns,
            personal=True,
            unused=frozenset({"__v", "password"}),
        ),
    }
)
