"""The redelivery guard: what was delivered before may have been appended before.

A consumer that dies between append and acknowledgement leaves rows in BigQuery and messages in Pub/Sub. Those come
again with a delivery attempt above 1, and only they are looked up, by event id, before they are appended. The same
holds for messages that a redrive published: a run that died may have published them before.
"""

from collections.abc import Sequence
from datetime import datetime

from dataplatform.warehouse import Warehouse


class RedeliveryGuard:
    """Asks the table which events it holds: one parameterised query, pruned by `observed_at`."""

    def __init__(self, warehouse: Warehouse, table: str) -> None:
        self._warehouse = warehouse
        self._sql = (
            f"SELECT DISTINCT event_id FROM `{table}` "  # noqa: S608 - the table comes from validated settings
            "WHERE observed_at BETWEEN @first AND @last AND event_id IN UNNEST(@ids)"
        )

    async def known(self, event_ids: Sequence[str], observed: Sequence[datetime]) -> frozenset[str]:
        """Return those ids that the table holds already; `observed` tells when each event was observed."""
        if not event_ids:
            return frozenset()
        from google.cloud import bigquery

        rows = await self._warehouse.query(
            self._sql,
            [
                bigquery.ScalarQueryParameter("first", "TIMESTAMP", min(observed)),
                bigquery.ScalarQueryParameter("last", "TIMESTAMP", max(observed)),
                bigquery.ArrayQueryParameter("ids", "STRING", sorted(set(event_ids))),
            ],
            labels={"purpose": "redelivery-guard"},
        )
        return frozenset(row["event_id"] for row in rows)
