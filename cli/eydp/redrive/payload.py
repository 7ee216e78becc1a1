"""A payload for the eyes of a person, and for scripts. Pure."""

import base64
from collections.abc import Iterator
from typing import Any

_BYTES_A_LINE = 32


def as_text(data: bytes, max_bytes: int) -> str:
    """Return UTF-8 as text with control characters made visible, anything else as hex; at most `max_bytes` of it."""
    shown = data[:max_bytes]
    text = _decoded(data, shown)
    body = "\n".join(_hex(shown)) if text is None else as_visible(text)
    return body if len(shown) == len(data) else f"{body}\n… {len(shown)} of {len(data)} bytes"


def for_scripts(data: bytes, max_bytes: int) -> dict[str, Any]:
    """Return the payload as `payload` when it is UTF-8, as `payload_base64` when not, and its size."""
    shown = data[:max_bytes]
    text = _decoded(data, shown)
    body = {"payload_base64": base64.b64encode(shown).decode()} if text is None else {"payload": text}
    return {**body, "payload_bytes": len(data), "payload_complete": len(shown) == len(data)}


def _decoded(data: bytes, shown: bytes) -> str | None:
    """Return the shown part as text when the whole is UTF-8; a character that was cut through is left out."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return None
    return shown.decode(errors="ignore")


def as_visible(text: str) -> str:
    r"""Return text that can't steer a terminal: control characters as `\x1b`."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else ascii(character)[1:-1] for character in text
    )


def _hex(data: bytes) -> Iterator[str]:
    for start in range(0, len(data), _BYTES_A_LINE):
        yield data[start : start + _BYTES_A_LINE].hex(" ", 4)
