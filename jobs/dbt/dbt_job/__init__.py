"""The runner of the dbt project: dbt's commands with the platform's settings, outcomes and exit codes."""
