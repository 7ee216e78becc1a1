"""The batch loader: products and users once a day, validated, into the raw zone and into BigQuery."""
