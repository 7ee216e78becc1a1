"""The raw zone's cart events as they lie in the bucket: small objects, joined ones, and what a compaction retired."""
