"""Settings of the push service, `EYDP_PUSH_…`. The shop's name is `EYDP_SOURCE_NAME`, the topic `EYDP_PUSH_TOPIC`."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from dataplatform.settings import PREFIX, Seconds, Section

Count = Annotated[int, Field(ge=1)]


class PushSettings(Section):
    """Who may push, how much, and how it is published."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}PUSH_")
    title = "Push"

    host: str = Field("127.0.0.1", description="Address clients push to; a pod sets 0.0.0.0.")
    port: int = Field(8080, ge=0, le=65535, description="Port clients push to; 0 takes a free one.")
    keys_dir: str = Field(
        "", description="Folder of the active signing keys, one or two files; required, read again when it changes."
    )
    keys_reread_seconds: Seconds = Field(2, description="How often the folder of the keys is looked at.")
    window_seconds: Count = Field(
        300,
        le=3600,
        description="A signature's time may differ by so much from the server's.",
    )
    max_signatures: Count = Field(
        2_000_000, description="Signatures remembered at once; beyond that requests are told to wait."
    )
    idempotency_seconds: Seconds = Field(600, description="How long the answer to an Idempotency-Key is remembered.")
    idempotency_max_keys: Count = Field(200_000, description="Answers remembered at once; the oldest make room.")
    max_body_bytes: Count = Field(8 << 20, le=256 << 20, description="A larger body is refused.")
    max_records: Count = Field(10_000, description="A request with more records is refused.")
    max_concurrent_requests: Count = Field(500, description="Requests at work at once; others are told to wait.")
    max_concurrent_bytes: Count = Field(64 << 20, description="Bytes of their bodies at once; likewise.")
    requests_per_second: Count = Field(5_000, description="Signed requests taken per second in the long run.")
    requests_burst: Count = Field(10_000, description="Signed requests taken at once after a pause.")
    body_timeout_seconds: Seconds = Field(20, description="Deadline for a body to arrive.")
    linger_milliseconds: float = Field(
        3, ge=0, le=1000, description="A publish request waits so long for records of other requests to share it."
    )
    publish_batch_messages: Count = Field(
        1_000, le=1_000, description="Records in one publish request; Pub/Sub takes 1,000 at most."
    )
    publish_batch_bytes: Count = Field(
        4 << 20, le=9 << 20, description="Bytes of records in one publish request; Pub/Sub takes 10 MB at most."
    )
    publish_max_in_flight: Count = Field(8, le=64, description="Publish requests awaiting their answer at once.")
    publish_timeout_seconds: Seconds = Field(4, description="Deadline of one publish request.")
    publish_deadline_seconds: Seconds = Field(
        5, description="No publish request is tried again after so long; the client is told to come back."
    )
    retry_after_seconds: Count = Field(2, description="What Retry-After says when Pub/Sub is down or all is busy.")
    drain_timeout_seconds: Seconds = Field(20, description="Time to finish the requests at work at shutdown.")
    stalled_after_seconds: Seconds = Field(60, description="/livez fails when publishing does not move for so long.")
