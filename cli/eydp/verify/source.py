"""What the shop holds now."""

from collections.abc import Iterable

import aiohttp
from pydantic import TypeAdapter, ValidationError

from dataplatform.models import CART, PRODUCT, USER
from dataplatform.retry import Retrier
from dataplatform.settings import SourceSettings
from dataplatform.source import RawRecord, SourceClient
from eydp.verify.reconcile import Totals, source_totals


async def read_source(settings: SourceSettings, retrier: Retrier) -> Totals:
    """Return the totals of the shop's valid records; the platform keeps the others in quarantine.

    Raises:
        UnavailableError: the shop does not answer.
        ConfigurationError: it refuses to.
    """
    async with aiohttp.ClientSession() as session:
        api = SourceClient(session, settings, retrier)
        products, users, carts = [await api.get_records(path) for path in ("/products", "/users", "/carts")]
    return source_totals(valid(PRODUCT, products), valid(USER, users), valid(CART, carts))


def valid[T](model: TypeAdapter[T], records: Iterable[RawRecord]) -> list[T]:
    """Return the records that the model accepts."""
    found = []
    for record in records:
        try:
            found.append(model.validate_json(record.text))
        except ValidationError:
            continue
    return found
