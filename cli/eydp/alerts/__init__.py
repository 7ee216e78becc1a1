"""Alerts, recording rules and service levels: one source, from which the chart's rules and their page are made."""
