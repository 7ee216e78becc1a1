"""Settings of the consumer, `EYDP_CONSUMER_…`."""

import socket
from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from dataplatform.settings import PREFIX, Name, Seconds, Section

Count = Annotated[int, Field(ge=1)]


class ConsumerSettings(Section):
    """How much the consumer holds, when it flushes, when it gives up."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}CONSUMER_")
    title = "Consumer"

    name: Name = Field(
        default_factory=socket.gethostname, description="Begins the names of its objects; the host name."
    )
    streams: Count = Field(2, le=32, description="Streaming pulls; one carries about 10 MB/s.")
    max_outstanding_messages: Count = Field(20_000, description="Messages held at most; a few seconds of work.")
    max_outstanding_bytes: Count = Field(
        32 << 20, description="Payload bytes held at most; memory is up to six times as much."
    )
    lease_seconds: int = Field(
        60, ge=10, le=600, description="Ack deadline of the streams, extended while work goes on."
    )
    flush_max_rows: Count = Field(5_000, description="A batch of so many messages is flushed.")
    flush_max_bytes: Count = Field(4 << 20, le=8 << 20, description="A batch of so many payload bytes is flushed.")
    flush_max_age_seconds: Seconds = Field(1, description="The oldest message waits so long for its batch.")
    max_batches_in_flight: Count = Field(4, description="Batches being archived and appended at once.")
    append_timeout_seconds: Seconds = Field(30, description="An append without an answer for so long is sent again.")
    dedup_window: int = Field(50_000, ge=0, description="Latest event ids that are remembered in the process.")
    circuit_max_ratio: float = Field(0.5, gt=0, le=1, description="Share of invalid messages that stops the intake.")
    circuit_min_messages: Count = Field(200, description="The ratio is judged over at least so many messages.")
    circuit_max_run: Count = Field(500, description="So many invalid messages in a row stop the intake.")
    circuit_cooldown_seconds: Seconds = Field(60, description="Pause before the intake is tried again.")
    drain_timeout_seconds: Seconds = Field(25, description="Time to finish what is held at shutdown.")
    stalled_after_seconds: Seconds = Field(180, description="/livez fails when held messages do not move for so long.")
