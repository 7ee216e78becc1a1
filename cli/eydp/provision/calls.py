"""One way to call a Google service while provisioning: a deadline, the retry layer, and errors in a sentence."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from google.api_core import exceptions as google

from dataplatform.errors import ConfigurationError
from dataplatform.retry import Retrier, describe


class Calls:
    """Every request of one command. `NotFound` and `Conflict` reach the caller, who knows what they mean."""

    def __init__(self, retrier: Retrier, *, timeout_seconds: float) -> None:
        self._retry = retrier
        self._options: dict[str, Any] = {"timeout": timeout_seconds, "retry": None}

    async def blocking(self, what: str, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Return what a blocking client's method returns; it runs in a thread. Raises what `awaiting` raises."""
        return await self.awaiting(what, lambda **timed: asyncio.to_thread(call, *args, **options, **timed))

    async def awaiting(self, what: str, call: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> Any:
        """Return what an async client's method returns. `what` says what is done, as in `creating bucket b`.

        Raises:
            ConfigurationError: the account may not do it, or the service refuses the request as such.
            UnavailableError: no answer within the retry deadline.
            google.api_core.exceptions.NotFound, Conflict: there is no such thing; there is one already.
        """
        try:
            return await self._retry(what, lambda: call(*args, **options, **self._options))
        except (google.Forbidden, google.Unauthorized) as error:
            raise ConfigurationError(f"{what} is not permitted to this account: {describe(error)}") from error
        except (google.BadRequest, ValueError) as error:
            raise ConfigurationError(f"{what} was refused: {describe(error)}") from error
