"""Who takes messages from a subscription: one open stream or one pull call."""

from collections.abc import Callable
from sys import maxsize


class Consumer:
    """The flow-control account of one stream or pull.

    `max_messages` and `max_bytes` bound what is outstanding (delivered, neither acknowledged nor given back);
    0 or less means no bound, as in the API. `wake` is called when there may be something new to take.
    """

    __slots__ = ("ack_deadline_seconds", "bytes", "max_bytes", "max_messages", "messages", "wake")

    def __init__(
        self, wake: Callable[[], None], ack_deadline_seconds: float, max_messages: int = 0, max_bytes: int = 0
    ) -> None:
        self.wake = wake
        self.ack_deadline_seconds = ack_deadline_seconds
        self.max_messages = max_messages if max_messages > 0 else maxsize
        self.max_bytes = max_bytes if max_bytes > 0 else maxsize
        self.messages = 0
        self.bytes = 0

    @property
    def has_room(self) -> bool:
        """Whether flow control lets one more message through."""
        return self.messages < self.max_messages and self.bytes < self.max_bytes
