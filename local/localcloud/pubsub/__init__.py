"""A Pub/Sub emulator that speaks the service's own gRPC and REST APIs.

`python -m localcloud.pubsub` runs it. The core (`subscription`, `topic`, `leases`, `ordering`, `snapshots`)
is synchronous and takes its clock as a parameter; `server`, `streaming` and `rest` are the thin asynchronous
edge.
"""
