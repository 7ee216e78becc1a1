"""Settings of the poller, `EYDP_POLLER_…`. The shop's address and deadlines are `EYDP_SOURCE_…`."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from dataplatform.settings import PREFIX, Seconds, Section

Count = Annotated[int, Field(ge=1)]


class PollerSettings(Section):
    """How often the poller looks and how it publishes what it finds."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}POLLER_")
    title = "Poller"

    interval_seconds: Seconds = Field(60, description="Time from the start of one poll to the start of the next.")
    jitter_seconds: float = Field(
        0, ge=0, description="A poll begins up to so much after its time, so that many pollers do not ask at once."
    )
    path: str = Field("/carts", pattern=r"^/\S*$", description="Route of the shop's API that lists all carts.")
    max_missing_ratio: float = Field(
        0.5, ge=0, le=1, description="An answer that misses more than this share of the known carts is suspicious."
    )
    accept_missing_after: Count = Field(
        3, description="The same carts missing in so many answers in a row are taken as deleted even so."
    )
    publish_batch_messages: Count = Field(
        1_000, le=1_000, description="Events in one publish request; Pub/Sub takes 1,000 at most."
    )
    publish_batch_bytes: Count = Field(
        4 << 20, le=9 << 20, description="Bytes of events in one publish request; Pub/Sub takes 10 MB at most."
    )
    publish_max_in_flight: Count = Field(4, le=64, description="Publish requests awaiting their answer at once.")
    ordering_keys: bool = Field(
        default=False,
        description="Publish with the cart id as ordering key; the subscription must have ordering enabled.",
    )
    pushes: bool = Field(
        default=False, description="Take in pushed carts, too, from the subscription EYDP_PUSH_SUBSCRIPTION."
    )
    lease_seconds: Seconds = Field(
        30, description="A second poller of the same source stands by, and takes over so long after this one died."
    )
    drain_timeout_seconds: Seconds = Field(25, description="Time to finish publishing what is saved at shutdown.")
    stalled_after_seconds: Seconds = Field(
        300, description="/livez fails when a poll does not move for so long beyond the interval."
    )
