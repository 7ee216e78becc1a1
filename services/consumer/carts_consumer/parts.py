"""Everything the pipeline talks to."""

from dataclasses import dataclass

from carts_consumer.append import Appender
from carts_consumer.guard import RedeliveryGuard
from carts_consumer.quarantine import Quarantine
from carts_consumer.rows import RowType
from carts_consumer.steadfast import Steadfast
from carts_consumer.subscription import Subscription
from dataplatform.rawzone import RawZone


@dataclass(frozen=True, slots=True)
class Parts:
    """`storage` and `bigquery` try an operation of theirs until it succeeds."""

    subscription: Subscription
    zone: RawZone
    appender: Appender
    guard: RedeliveryGuard
    quarantine: Quarantine
    row_type: RowType
    storage: Steadfast
    bigquery: Steadfast
