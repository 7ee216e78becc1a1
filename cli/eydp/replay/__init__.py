"""Replay: compares the raw zone with the raw tables, appends what is missing, removes what is there twice."""
