"""Forget: removes one person from the raw zone, the raw tables, the snapshots and the marts."""
