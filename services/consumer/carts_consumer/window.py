"""The event ids that this process appended lately. Pure and bounded."""


class Window:
    """Remembers the latest `size` ids; the oldest leave first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ids: dict[str, None] = {}

    def add(self, event_id: str) -> bool:
        """Remember an id; return False when it was known already."""
        ids = self._ids
        if event_id in ids:
            return False
        ids[event_id] = None
        if len(ids) > self._size:
            del ids[next(iter(ids))]
        return True

    def clear(self) -> None:
        """Forget everything: after an append whose outcome nobody knows, no memory can be trusted."""
        self._ids.clear()

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._ids

    def __len__(self) -> int:
        return len(self._ids)
