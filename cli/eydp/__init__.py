"""The `eydp` command: everything a person does with the platform, on a laptop or on the cloud."""
