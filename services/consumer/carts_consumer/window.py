"""The event ids that this process appended lately. Pure and bounded."""

from collections import deque


class Window:
    """Remembers the latest `size` ids; the oldest leave first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ids: set[str] = set()
        # A queue for the order: taking the first key out of a large dictionary walks over all that were taken before.
        self._order: deque[str] = deque()

    def add(self, event_id: str) -> bool:
        """Remember an id; return False when it was known already."""
        ids = self._ids
        if event_id in ids:
            return False
        ids.add(event_id)
        self._order.append(event_id)
        if len(self._order) > self._size:
            ids.discard(self._order.popleft())
        return True

    def forget(self, event_id: str) -> None:
        """Forget one id: it was not appended after all."""
        self._ids.discard(event_id)

    def clear(self) -> None:
        """Forget everything: after an append whose outcome nobody knows, no memory can be trusted."""
        self._ids.clear()
        self._order.clear()

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._ids

    def __len__(self) -> int:
        return len(self._ids)
