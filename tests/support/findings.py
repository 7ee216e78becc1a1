"""What a campaign found wrong: counted by kind, with one example each, told all at once at the end."""

from collections import Counter


class Findings:
    """Collects; `fail_on_any()` ends the test. A campaign that stopped at its first fault would hide the others."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, bytes] = {}

    def add(self, what: str, example: bytes) -> None:
        self._counts[what] += 1
        self._examples.setdefault(what, example)

    def unless(self, holds: bool, what: str, example: bytes) -> None:
        """Add it unless `holds`."""
        if not holds:
            self.add(what, example)

    def fail_on_any(self) -> None:
        told = [f"{count} x {what}\n    {self._examples[what][:700]!r}" for what, count in self._counts.most_common(40)]
        assert not self._counts, "\n".join(told)
