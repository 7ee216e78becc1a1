"""Settings of the batch loader, `EYDP_BATCH_…`. The shop's address and deadlines are `EYDP_SOURCE_…`."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from dataplatform.settings import PREFIX, Seconds, Section

Share = Annotated[float, Field(ge=0, le=1)]
Policy = Literal["keep", "drop", "hash", "tokenise"]


class BatchSettings(Section):
    """How a load is done, what stops it, and what becomes of personal data."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}BATCH_")
    title = "Batch loader"

    mode: Literal["full", "incremental"] = Field(
        "full", description="`incremental` loads only what the run before did not have; the table ends the same."
    )
    part_max_bytes: Annotated[int, Field(ge=1, le=1 << 30)] = Field(
        4 << 20, description="Bytes of lines in one part, before compression; a longer line has a part of its own."
    )
    uploads_at_once: Annotated[int, Field(ge=1, le=64)] = Field(
        2, description="Parts that are compressed and written while the next one is filled."
    )
    max_removed_ids: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        100_000, description="An incremental run that misses more ids than this loads everything."
    )
    min_last_share: Share = Field(0.5, description="A load with fewer records than this share of the last is refused.")
    max_invalid_ratio: Share = Field(0.2, description="A load with a larger share of invalid records is refused.")
    max_schema_ratio: Share = Field(
        0.9,
        description="A load in which a larger share of the records misses a field, or has it in another type, is "
        "refused.",
    )
    personal_email: Policy = Field("keep", description="What becomes of e-mail addresses of users; see the README.")
    personal_phone: Policy = Field("keep", description="What becomes of telephone numbers.")
    personal_names: Policy = Field("keep", description="What becomes of login, first and last names.")
    personal_street: Policy = Field("keep", description="What becomes of streets; house numbers are kept or dropped.")
    personal_coordinates: Policy = Field("keep", description="What becomes of latitude and longitude.")
    salt_file: str = Field("", description="File with the secret of `hash` and `tokenise`, at least 16 bytes.")
    lease_seconds: Seconds = Field(60, description="A run that died keeps others of its entity waiting for so long.")
    lease_wait_seconds: float = Field(
        900, ge=0, description="How long a run waits for another one of its entity before it leaves."
    )
    job_timeout_seconds: Seconds = Field(600, description="How long a BigQuery job is awaited.")
    progress_seconds: Seconds = Field(10, description="How often a run that receives records says so in the log.")
    metrics_file: str = Field(
        "", description="File that gets the run's metrics at its end, for a textfile collector; empty writes none."
    )
