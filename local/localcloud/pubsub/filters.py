"""Subscription filters: Pub/Sub's language over the attributes of a message.

    attributes:key                      the message has the attribute
    attributes.key = "value"            … with this value (`!=`: not with this value, or not at all)
    hasPrefix(attributes.key, "pre")    … with a value that starts so
    NOT x, -x, x AND y, x OR y, ( … )   AND and OR don't mix without parentheses

Keywords are upper case. A key with other characters than letters, digits, `-` and `_` stands in quotes.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, NoReturn

from localcloud.pubsub.errors import invalid

type Attributes = Mapping[str, str]
type Predicate = Callable[[Attributes], bool]

MAX_FILTER_BYTES = 256

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"(?:[^"\\]|\\.)*")
      | (?P<sign>!=|=|:|\(|\)|,|\.|-)
      | (?P<word>[A-Za-z_][A-Za-z0-9_\-]*)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class _Token(NamedTuple):
    kind: str
    value: str
    position: int


def compile_filter(source: str) -> Predicate:
    """Return the predicate that a filter means.

    Raises:
        PubsubError: `INVALID_ARGUMENT`, with the position of the fault.
    """
    size = len(source.encode())
    if size > MAX_FILTER_BYTES:
        raise invalid(f"The filter is too long: it has {size} bytes, but the maximum is {MAX_FILTER_BYTES}.")
    return _Parser(source).parse()


class _Parser:
    """Recursive descent, one method a rule of the grammar."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = list(self._scan())
        self._index = 0

    def _refuse(self, why: str, position: int) -> NoReturn:
        raise invalid(f"Invalid filter (filter={self._source}): {why} at position {position}.")

    def _scan(self) -> list[_Token]:
        tokens: list[_Token] = []
        position, end = 0, len(self._source.rstrip())
        while position < end:
            match = _TOKEN.match(self._source, position)
            if match is None or match.lastgroup is None:
                rest = self._source[position:]
                self._refuse("unexpected character", position + len(rest) - len(rest.lstrip()))
            kind, value = match.lastgroup, match.group(match.lastgroup)
            if kind == "text":
                value = _ESCAPE.sub(r"\1", value[1:-1])
            tokens.append(_Token(kind, value, match.start(match.lastgroup)))
            position = match.end()
        tokens.append(_Token("end", "end of filter", end))
        return tokens

    @property
    def _next(self) -> _Token:
        return self._tokens[self._index]

    def _is(self, kind: str, value: str) -> bool:
        return self._next.kind == kind and self._next.value == value

    def _take(self, *kinds: str) -> _Token:
        token = self._next
        if token.kind not in kinds:
            self._refuse(f"unexpected {token.value!r}", token.position)
        self._index += 1
        return token

    def _sign(self, *values: str) -> str:
        token = self._next
        if token.kind != "sign" or token.value not in values:
            self._refuse(f"expected {' or '.join(values)}, found {token.value!r}", token.position)
        self._index += 1
        return token.value

    def parse(self) -> Predicate:
        predicate = self._expression()
        self._take("end")
        return predicate

    def _expression(self) -> Predicate:
        first = self._term()
        joined, parts = "", [first]
        while self._is("word", "AND") or self._is("word", "OR"):
            token = self._take("word")
            if joined not in ("", token.value):
                self._refuse("AND and OR need parentheses to be combined", token.position)
            joined = token.value
            parts.append(self._term())
        if joined == "AND":
            return lambda attributes: all(part(attributes) for part in parts)
        if joined == "OR":
            return lambda attributes: any(part(attributes) for part in parts)
        return first

    def _term(self) -> Predicate:
        if self._is("word", "NOT") or self._is("sign", "-"):
            self._index += 1
            inner = self._term()
            return lambda attributes: not inner(attributes)
        if self._is("sign", "("):
            self._index += 1
            inner = self._expression()
            self._sign(")")
            return inner
        if self._is("word", "hasPrefix"):
            return self._has_prefix()
        return self._comparison()

    def _attributes(self) -> None:
        token = self._take("word")
        if token.value != "attributes":
            self._refuse(f"expected attributes, found {token.value!r}", token.position)

    def _has_prefix(self) -> Predicate:
        self._take("word")
        self._sign("(")
        self._attributes()
        self._sign(".")
        key = self._take("word", "text").value
        self._sign(",")
        prefix = self._take("text").value
        self._sign(")")
        return lambda attributes: key in attributes and attributes[key].startswith(prefix)

    def _comparison(self) -> Predicate:
        self._attributes()
        if self._sign(":", ".") == ":":
            key = self._take("word", "text").value
            return lambda attributes: key in attributes
        key = self._take("word", "text").value
        equal = self._sign("=", "!=") == "="
        value = self._take("text").value
        return lambda attributes: (key in attributes and attributes[key] == value) == equal
