"""Creates what the platform needs on the cloud, from `dataplatform.schemas`. Running it twice is safe."""
