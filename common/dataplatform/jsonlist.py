"""A JSON list that is read while it arrives: each element as soon as it is whole, in memory for one element. Pure."""

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

#: Reads from a position on into the list of what is found; returns where the next state goes on, or None.
_State = Callable[[int, list["RawRecord"]], int | None]

_SPACE = re.compile(r"[ \t\n\r]*")


class RawRecord(NamedTuple):
    """One element of a list: what Python makes of it, and the JSON text exactly as it came."""

    value: Any
    text: str


class ListParser:
    """Takes the text of one JSON list in pieces, cut anywhere.

    Elements are as `json` reads them: integers stay integers, all other numbers are floats.
    """

    def __init__(self, max_element_chars: int) -> None:
        """An element whose text is longer than `max_element_chars` is an error; so is one that never ends."""
        self._max = max_element_chars
        self._decode = json.JSONDecoder(parse_constant=_no_constant).raw_decode
        self._text = ""
        self._before = 0  # characters that are read and gone
        self._wanted = 0  # an element that was cut off is looked at again when so much text is there
        self._state: _State = self._begin
        self._final = False

    def feed(self, text: str) -> list[RawRecord]:
        """Return the elements that have become whole, in their order.

        Raises:
            ValueError: this is no JSON list; the sentence says where and quotes nothing.
            RecursionError: an element is nested too deeply.
        """
        self._text += text
        found: list[RawRecord] = []
        if len(self._text) < self._wanted and not self._final:
            return found
        at = 0
        while (reached := self._state(at, found)) is not None:
            at = reached
        return found

    def close(self) -> list[RawRecord]:
        """Return the elements that only the end of the text made whole.

        Raises:
            ValueError: the text ended before the list did, or is no list.
            RecursionError: an element is nested too deeply.
        """
        self._final = True
        found = self.feed("")
        if self._state == self._begin:
            raise ValueError("the body is empty")
        if self._state != self._end:
            raise self._malformed(0)
        return found

    # Each state reads from `at` on and returns where the next one goes on, or None when it needs more text. On None
    # the text from `at` on is kept.

    def _begin(self, at: int, _: list[RawRecord]) -> int | None:
        at = self._next(at)
        if at == len(self._text):
            self._wait(at)
            return None
        if self._text[at] != "[":
            if not self._final and "null".startswith(self._text[at:].rstrip()):
                self._wait(at)
                return None
            raise ValueError("the body is null" if self._text[at:].strip() == "null" else "it does not begin with [")
        self._state = self._first
        return at + 1

    def _first(self, at: int, _: list[RawRecord]) -> int | None:
        at = self._next(at)
        if at == len(self._text):
            self._wait(at)
            return None
        if self._text[at] == "]":
            self._state = self._end
            return at + 1
        self._state = self._elements
        return at

    def _elements(self, at: int, found: list[RawRecord]) -> int | None:
        text, decode, size = self._text, self._decode, len(self._text)
        while True:
            at = self._next(at)
            try:
                value, end = decode(text, at)
            except ValueError as error:  # the text is cut off here, or malformed: only its end tells
                if self._final:
                    raise self._malformed(at) from error
                self._wait(at)
                return None
            after = end if end < size and text[end] == "," else self._next(end)
            if after == size:  # a number may go on in the next piece, so nothing is whole before its end is seen
                if self._final:
                    raise self._malformed(after)
                self._wait(at)
                return None
            if text[after] not in ",]":
                raise self._malformed(after)
            if end - at > self._max:
                raise self._too_long(at)
            found.append(RawRecord(value, text[at:end]))
            at = after + 1
            if text[after] == "]":
                self._state = self._end
                return at

    def _end(self, at: int, _: list[RawRecord]) -> int | None:
        at = self._next(at)
        if at < len(self._text):
            raise ValueError(f"something follows its end at character {self._before + at}")
        self._wait(at)
        return None

    def _wait(self, at: int) -> None:
        """Keep what is not read. An element that was cut off is read again from its beginning, so wait for as much."""
        self._text = self._text[at:]
        self._before += at
        if len(self._text) > self._max:
            raise self._too_long(0)
        self._wanted = min(2 * len(self._text), self._max + 1)

    def _next(self, at: int) -> int:
        """Return where the next token begins."""
        found = _SPACE.match(self._text, at)
        return found.end() if found else at

    def _malformed(self, at: int) -> ValueError:
        return ValueError(f"it is cut off or malformed at character {self._before + at}")

    def _too_long(self, at: int) -> ValueError:
        return ValueError(
            f"the element at character {self._before + at} has more than {self._max} characters or no end"
        )


def _no_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python reads and JSON does not know."""
    raise ValueError(f"{name} is not JSON")
