"""The redelivery guard: what was delivered before may have been appended before.

A consumer that dies between append and acknowledgement leaves rows in BigQuery and messages in Pub/Sub. Those come
again with a delivery attempt above 1, and only they are looked up, by event id, before they are appended. The same
holds for messages that a redrive published: a run that died may have published them before.
"""

from collections.abc import Sequence
from typing import Any

from dataplatform.models import CartEvent
from dataplatform.redrive import MARK
from dataplatform.warehouse import Warehouse


def suspect(received: Any) -> bool:
    """Return whether a `ReceivedMessage` may have been appended before."""
    return received.delivery_attempt > 1 or MARK in received.message.attributes


class RedeliveryGuard:
    """Asks the table which events it holds: one parameterised query, pruned by `observed_at`."""

    def __init__(self, warehouse: Warehouse, table: str) -> None:
        self._warehouse = warehouse
        self._sql = (
            f"SELECT DISTINCT event_id FROM `{table}` "  # noqa: S608 - the table comes from validated settings
            "WHERE observed_at BETWEEN @first AND @last AND event_id IN UNNEST(@ids)"
        )

    async def known(self, events: Sequence[CartEvent]) -> frozenset[str]:
        """Return the ids of those events that the table holds already."""
        if not events:
            return frozenset()
        from google.cloud import bigquery

        observed = [event["observed_at"] for event in events]
        rows = await self._warehouse.query(
            self._sql,
            [
                bigquery.ScalarQueryParameter("first", "TIMESTAMP", min(observed)),
                bigquery.ScalarQueryParameter("last", "TIMESTAMP", max(observed)),
                bigquery.ArrayQueryParameter("ids", "STRING", sorted({event["event_id"] for event in events})),
            ],
            labels={"purpose": "redelivery-guard"},
        )
        return frozenset(row["event_id"] for row in rows)
