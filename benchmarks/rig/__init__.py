"""What the benchmarks share: a backlog of cart events, sinks that discard, processes bound to a core."""
