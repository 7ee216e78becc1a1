"""Messages from a hypothesis strategy that knows nothing of what is right; the oracle judges what comes out of it."""

import json
from copy import deepcopy
from datetime import datetime

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from support.bad_input.message import Message, good
from support.bad_input.writing import ORDER, at

_ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def _moments(draw: st.DrawFn) -> str:
    """Texts that look like times, many of which are none."""
    day = f"{draw(st.integers(0, 10_001)):04}-{draw(st.integers(0, 13)):02}-{draw(st.integers(0, 32)):02}"
    clock = f"{draw(st.integers(0, 24)):02}:{draw(st.integers(0, 60)):02}:{draw(st.integers(0, 61)):02}"
    fraction = draw(st.sampled_from(["", "", ".", ".0", ".123456", ".9999999"]))
    zone = draw(
        st.sampled_from(["Z", "z", "", "+00:00", "-00:00", "+14:00", "-23:59", "+24:00", "+05:60", "+0530", "+5"])
    )
    return f"{day}{draw(st.sampled_from('TTTt _-'))}{clock}{fraction}{zone}"


@st.composite
def _changed(draw: st.DrawFn, now: datetime) -> bytes:
    """An event in which up to three places hold something else, more or nothing."""
    number = draw(st.integers(1, 2**62))
    made, other = good(number, now), good(number, now)
    values = _VALUES | _moments() | st.sampled_from([*ORDER, other, other["cart"]]).map(deepcopy)
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from((*ORDER, "note", "cart.note", "cart.products.0.note")))
        try:
            here, key = at(made, path)
            if draw(st.integers(0, 4)):
                here[key] = draw(values)
            else:
                del here[key]
        except (LookupError, TypeError):  # an earlier change took away what the path leads through
            continue
    text = json.dumps(made, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, None, 1])))
    return text.encode("utf-8", "surrogatepass")


@st.composite
def _spliced(draw: st.DrawFn, now: datetime) -> bytes:
    """The bytes of an event with a piece taken out and another one put in."""
    data = json.dumps(good(draw(st.integers(1, 2**62)), now)).encode()
    start = draw(st.integers(0, len(data)))
    pieces = st.binary(max_size=4) | st.sampled_from([b",", b'"', b"{}", b"null", b"-", b"0", b"e9", b"\\", b"\\ud800"])
    return data[:start] + draw(pieces) + data[start + draw(st.integers(0, 6)) :]


def generated(now: datetime) -> st.SearchStrategy[bytes]:
    """Return the strategy that makes the data of a message knowing nothing of what is right."""
    documents = _VALUES.map(lambda value: json.dumps(value).encode())
    return st.one_of(_changed(now), _changed(now), _spliced(now), documents, st.binary(max_size=60))


def drawn(seed_: int, count: int, now: datetime) -> list[Message]:
    """Return so many messages (hypothesis may find a few less) that `generated()` makes from this seed."""
    found: list[Message] = []

    @seed(seed_)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(generated(now))
    def collect(data: bytes) -> None:
        found.append(Message(data, {"source": "generated"}, "generated"))

    collect()
    return found
