"""Settings of the batch loader, `EYDP_BATCH_…`. The shop's address and deadlines are `EYDP_SOURCE_…`."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from dataplatform.settings import PREFIX, Seconds, Section


class BatchSettings(Section):
    """How large the raw zone's parts are, and what stops a load."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}BATCH_")
    title = "Batch loader"

    part_max_bytes: Annotated[int, Field(ge=1, le=1 << 30)] = Field(
        32 << 20, description="Bytes of lines in one part, before compression; a longer line has a part of its own."
    )
    max_invalid_ratio: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2, description="A load with a larger share of invalid records is refused."
    )
    job_timeout_seconds: Seconds = Field(600, description="How long a load job is awaited.")
    metrics_file: str = Field(
        "", description="File that gets the run's metrics at its end, for a textfile collector; empty writes none."
    )
