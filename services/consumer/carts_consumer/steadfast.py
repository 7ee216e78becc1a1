"""Work that must not be given up while its messages are held: it is tried until it succeeds.

Transient errors are retried by the one retry layer, without a deadline. A missing resource or permission is a
person's to mend: the consumer says so, is not ready, and looks again every few seconds. Bugs end the process.
"""

from collections.abc import Awaitable, Callable

from google.api_core.exceptions import GoogleAPICallError
from prometheus_client import Counter

from dataplatform.clock import Clock
from dataplatform.health import Health
from dataplatform.logs import logger
from dataplatform.retry import Retrier, RetryPolicy, describe

_LOOK_AGAIN_SECONDS = 5.0


class Steadfast:
    """Runs the operations of one dependency, which is a readiness condition of the same name."""

    def __init__(self, dependency: str, clock: Clock, health: Health, retries: Counter) -> None:
        self._dependency = dependency
        self._clock = clock
        self._health = health
        self._retries = retries.labels(dependency)
        self.retrier = Retrier(RetryPolicy(deadline_seconds=float("inf"), maximum_seconds=5), clock, self._on_retry)

    def _on_retry(self, error: BaseException, attempt: int, delay: float) -> None:
        self.trouble(describe(error), attempt=attempt, delay_seconds=round(delay, 3))

    def trouble(self, reason: str, **details: object) -> None:
        """Note that the dependency failed and is tried again; waiting for it is no hang."""
        self._retries.inc()
        self._health.down(self._dependency, reason)
        self._health.progress()
        logger().warning("tried again", dependency=self._dependency, reason=reason, **details)

    def recovered(self) -> None:
        """Note that the dependency answered."""
        self._health.up(self._dependency)

    async def __call__[T](self, operation: Callable[[], Awaitable[T]]) -> T:
        """Return the operation's result, however long that takes."""
        while True:
            try:
                result = await operation()
            except GoogleAPICallError as error:
                self.trouble(describe(error))
                await self._clock.sleep(_LOOK_AGAIN_SECONDS)
            else:
                self.recovered()
                return result
