"""Settings of replay, rebuild and compaction, `EYDP_REPLAY_…`."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from dataplatform.settings import PREFIX, Section

_BYTES = Field(ge=1 << 10, le=1 << 30)


class ReplaySettings(Section):
    """What is too young to be touched, and how large the pieces are."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}REPLAY_")
    title = "Replay, rebuild, compaction"

    raw_margin_seconds: int = Field(
        900, ge=0, description="Younger objects are left alone: a consumer may be about to append their rows."
    )
    row_margin_seconds: int = Field(
        5400,
        ge=0,
        description="Younger rows are neither removed nor replaced: BigQuery refuses to change what was just streamed.",
    )
    part_max_bytes: Annotated[int, _BYTES] = Field(64 << 20, description="Bytes of rows in one load job.")
    joined_max_bytes: Annotated[int, _BYTES] = Field(
        32 << 20, description="Bytes of lines in one joined object, before compression."
    )
    staging_hours: int = Field(
        24, ge=1, le=168, description="BigQuery drops a staging table after so long when a run that died left it."
    )
    lease_seconds: int = Field(60, ge=10, le=600, description="A run that died keeps others out for so long.")
    job_timeout_seconds: int = Field(1800, ge=10, description="How long one BigQuery job is awaited.")
