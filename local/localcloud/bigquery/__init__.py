"""The BigQuery emulator: local-bigquery, run in-process with the shims that the platform needs.

`python -m localcloud.bigquery` runs it. `extensions` gives DuckDB its extensions without a download, `shims`
mends what local-bigquery does otherwise than BigQuery, `server` starts both of its servers.
"""
