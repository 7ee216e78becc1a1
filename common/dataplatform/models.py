"""The records of the shop and the event made of them: one contract, checked by pydantic.

They are typed dictionaries, not classes: pydantic checks a dictionary twice as fast as it builds an object, and what
is archived are the bytes received, so an object would only be thrown away (docs/adr/0004-typed-dictionaries.md).
Validation is strict (no text for a number) and bounded (everything fits its BigQuery type). Unknown fields are
allowed everywhere and kept in the payload. Values out of range are errors, never clipped.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, NotRequired, TypedDict, cast
from uuid import NAMESPACE_URL, uuid5

from pydantic import (
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
    TypeAdapter,
    with_config,
)
from pydantic_core import PydanticCustomError, core_schema

SCHEMA_VERSION = 1
EVENT_TYPES = ("cart_created", "cart_updated", "cart_deleted")
EventType = Literal["cart_created", "cart_updated", "cart_deleted"]

_STRICT = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)
_NAMESPACE = uuid5(NAMESPACE_URL, "ey-data-platform/carts-events")

Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Identifier = Annotated[int, Field(ge=0, lt=2**63)]
Quantity = Annotated[int, Field(ge=0, le=1_000_000_000)]
Text = Annotated[str, StringConstraints(max_length=1 << 16)]


def _no_text(value: Any) -> Any:
    """Refuse text where a number belongs: pydantic takes it for a decimal even when strict."""
    if isinstance(value, str):
        raise PydanticCustomError("decimal_type", "Input should be a number, not text")
    return value


# The bounds stand before the validator: after it pydantic would check them in Python, which takes as long as the rest.
Price = Annotated[Decimal, Field(strict=False, ge=0, max_digits=38, decimal_places=9), BeforeValidator(_no_text)]


class _Text:
    """Takes a time from text that begins like RFC 3339 only: pydantic reads "1764000000" as seconds since 1970."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        moment = cast("core_schema.DatetimeSchema", handler(source))
        moment["strict"] = False  # it is given text, which the strict form takes from JSON alone
        return core_schema.chain_schema([core_schema.str_schema(pattern="^[0-9]{4}-", strict=True), moment])


Moment = Annotated[AwareDatetime, _Text()]
#: BigQuery's TIMESTAMP; an offset can push a time that Python can hold out of it.
Timestamp = Annotated[
    AwareDatetime,
    Field(ge=datetime(1, 1, 1, tzinfo=UTC), le=datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    _Text(),
]
#: Not a literal: 1.0 and true equal 1.
Version = Annotated[int, Field(ge=SCHEMA_VERSION, le=SCHEMA_VERSION)]
EventId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]

#: BigQuery's streaming takes rows into day partitions from ten years back to one year ahead; a margin is kept.
OLDEST_OBSERVATION = timedelta(days=9 * 365)
NEWEST_OBSERVATION = timedelta(days=300)


def partition_range(now: datetime) -> tuple[datetime, datetime]:
    """Return the first and last `observed_at` that BigQuery takes rows for; a record outside it is invalid."""
    return now - OLDEST_OBSERVATION, now + NEWEST_OBSERVATION


@with_config(_STRICT)
class Rating(TypedDict):
    """What customers think of a product."""

    rate: Annotated[float, Field(ge=0)]
    count: Identifier


@with_config(_STRICT)
class Product(TypedDict):
    """A product as `GET /products` answers it. `rating` is newer than the rest."""

    id: Identifier
    title: Text
    price: Price
    category: Text
    description: NotRequired[Text | None]
    image: NotRequired[Text | None]
    rating: NotRequired[Rating | None]


@with_config(_STRICT)
class PersonName(TypedDict):
    """A user's name."""

    firstname: NotRequired[Text | None]
    lastname: NotRequired[Text | None]


@with_config(_STRICT)
class Geolocation(TypedDict):
    """Coordinates, which the API sends as text."""

    lat: NotRequired[Text | None]
    long: NotRequired[Text | None]


@with_config(_STRICT)
class Address(TypedDict):
    """A user's address; `number` is the house number."""

    city: NotRequired[Text | None]
    street: NotRequired[Text | None]
    number: NotRequired[Int64 | None]
    zipcode: NotRequired[Text | None]
    geolocation: NotRequired[Geolocation | None]


@with_config(_STRICT)
class User(TypedDict):
    """A user as `GET /users` answers it, without the password: it is dropped before anything else is done."""

    id: Identifier
    email: NotRequired[Text | None]
    username: NotRequired[Text | None]
    phone: NotRequired[Text | None]
    name: NotRequired[PersonName | None]
    address: NotRequired[Address | None]


@with_config(_STRICT)
class CartLine(TypedDict):
    """One product of a cart. Names are the API's."""

    productId: Identifier
    quantity: Quantity


@with_config(_STRICT)
class Cart(TypedDict):
    """A cart as `GET /carts` answers it."""

    id: Identifier
    userId: Identifier
    date: Timestamp
    products: Annotated[list[CartLine], Field(max_length=10_000)]


@with_config(_STRICT)
class CartEvent(TypedDict):
    """One change of one cart. `cart` is null when the cart was deleted."""

    event_id: EventId
    event_type: EventType
    schema_version: Version
    source: Text
    epoch: Identifier
    cart_id: Identifier
    version: Annotated[int, Field(ge=1, lt=2**63)]
    observed_at: Moment
    cart: Cart | None


PRODUCT: TypeAdapter[Product] = TypeAdapter(Product)
USER: TypeAdapter[User] = TypeAdapter(User)
CART: TypeAdapter[Cart] = TypeAdapter(Cart)
CART_EVENT: TypeAdapter[CartEvent] = TypeAdapter(CartEvent)


def event_id(source: str, epoch: int, cart_id: int, version: int) -> str:
    """Return the id of one change: the same change always has the same id, two different changes never do.

    `epoch` is when the poller's state began, in milliseconds since 1970: a state that was lost starts anew with
    version 1, and its events must not collide with the old ones.
    """
    return str(uuid5(_NAMESPACE, f"{source}/{epoch}/{cart_id}/{version}"))


def without_secrets(user: dict[str, Any]) -> dict[str, Any]:
    """Return a user record without any field whose name speaks of a password."""
    return {key: value for key, value in user.items() if "password" not in key.lower()}
