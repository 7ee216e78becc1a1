"""The consumer: cart events from Pub/Sub to Cloud Storage and BigQuery, nothing lost and nothing doubled."""
