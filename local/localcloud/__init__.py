"""The stack on one machine: shop, Pub/Sub, Cloud Storage and BigQuery, and what starts and stops them."""
