"""What every program of the platform shares: settings, models, logs, metrics, health, clients, raw zone, retry."""
