"""Pages of a list, in the order of names."""

from base64 import b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Mapping

from localcloud.pubsub.errors import invalid

MAX_PAGE_SIZE = 1_000


def page[T](items: Mapping[str, T], page_size: int, page_token: str) -> tuple[list[T], str]:
    """Return one page of the items and the token of the next one, empty after the last.

    The token names the last item of its page, so that items created or deleted meanwhile neither double nor
    hide others.

    Raises:
        PubsubError: `INVALID_ARGUMENT` for a negative size or a token that no list gave out.
    """
    if page_size < 0:
        raise invalid(
            f"The value for page_size is too small. You passed {page_size} in the request, but the minimum value is 0."
        )
    size = min(page_size or MAX_PAGE_SIZE, MAX_PAGE_SIZE)
    after = _decode(page_token)
    keys = [key for key in sorted(items) if key > after]
    chosen = keys[:size]
    token = urlsafe_b64encode(chosen[-1].encode()).decode() if len(keys) > size else ""
    return [items[key] for key in chosen], token


def _decode(token: str) -> str:
    try:
        return b64decode(token.encode(), b"-_", validate=True).decode()
    except (Error, UnicodeDecodeError) as error:
        raise invalid(f"Invalid page token given (page_token={token}).") from error
