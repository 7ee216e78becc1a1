"""The one statement that changes a table: from the records of a run to the rows that readers see. Pure.

A row keeps `run_id`, `ingested_at` and `raw_uri` of the run that brought its version, so it does not matter whether a
run sends all records or only those that changed: what is the same is left alone either way. That is why full and
incremental loads end in the same table. Doing it twice changes nothing the second time.
"""

from batch_ingest.entities import Entity


def merge_sql(entity: Entity, table: str, load_table: str, *, all_records: bool) -> str:
    """Return the MERGE from `load_table` into `table`, both `project.dataset.table`.

    Parameters: `uris` (the parts of the run), `count` (their lines), `run_id`, `received_at`, and `removed` (ids)
    unless the load table holds `all_records`: then whatever it misses is removed. The statement fails, and changes
    nothing, when the load table does not hold the lines of these parts: another run was at it.
    """
    columns = [column.name for column in entity.load_table.columns]
    values = {
        **{name: f"came.{name}" for name in columns},
        "run_id": "@run_id",
        "ingested_at": "@received_at",
        "valid_from": "@received_at",
        "_deleted": "FALSE",
    }
    wanted = f"SELECT COUNT(*) FROM `{load_table}` WHERE raw_uri IN UNNEST(@uris)"  # noqa: S608 - names come from the settings, which check them
    updates = ", ".join(f"{name} = {value}" for name, value in values.items() if name != "id")
    gone = "" if all_records else " AND held.id IN UNNEST(@removed)"
    return f"""
MERGE `{table}` AS held
USING (
    SELECT {", ".join(columns)}
    FROM `{load_table}`
    WHERE raw_uri IN UNNEST(@uris)
        AND IF(({wanted}) = @count, TRUE, ERROR('the load table holds another run'))
    QUALIFY ROW_NUMBER() OVER (PARTITION BY id ORDER BY _digest) = 1
) AS came
ON held.id = came.id
WHEN MATCHED AND (held._deleted IS NOT FALSE OR held._digest IS DISTINCT FROM came._digest) THEN
    UPDATE SET {updates}
WHEN NOT MATCHED THEN
    INSERT ({", ".join(values)}) VALUES ({", ".join(values.values())})
WHEN NOT MATCHED BY SOURCE AND held._deleted IS NOT TRUE{gone} THEN
    UPDATE SET _deleted = TRUE, valid_from = @received_at
"""  # noqa: S608 - as above
