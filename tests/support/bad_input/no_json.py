"""Mutations after which the bytes are no JSON."""

import random
from typing import Any

from support.bad_input.writing import ORDER, SECRET, Token, dump, put


def truncated(rng: random.Random, made: dict[str, Any]) -> bytes:
    whole = dump(rng, made)
    return whole[: rng.randrange(len(whole))]


def trailing(rng: random.Random, made: dict[str, Any]) -> bytes:
    whole = dump(rng, made)
    return whole + rng.choice([b"x", b"}", b"]", b",", b"\0", b"null", b"\n{}", b" " + whole, b"\x1a", b"\xc2\xa0"])


def other_encoding(rng: random.Random, made: dict[str, Any]) -> bytes:
    text = dump(rng, made).decode()
    encoded = [b"\xef\xbb\xbf" + text.encode(), text.encode("utf-16"), text.encode("utf-16-le"), text.encode("utf-32")]
    return rng.choice(encoded)


def inside_text(rng: random.Random, made: dict[str, Any]) -> bytes:
    """Bytes that may not stand in a string: not UTF-8, halves of pairs, control characters, bad escapes."""
    bad = [b"\xff", b"\x80", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe9t\xe9"]
    bad += [b"\n", b"\r", b"\t", b"\0", b"\x1f", b"\\x41", b"\\", b"\\u12", b"\\u12g4", b"\\U0001F600", b"\\'"]
    bad += [b"\\ud800", b"\\udc00", b"\\ud800\\u0041", b"\\udc00\\ud800", b"\\ud83d\\\\ude00", b"\\uD800\\n"]
    made[rng.choice(["source", "note"])] = f"{SECRET} X"
    text = dump(rng, made)
    place = rng.choice([b"X", b'"note"', b'"products"'])
    if place not in text or place == b"X":
        return text.replace(b"X", rng.choice(bad) + b" ", 1)
    return text.replace(place, place[:-1] + rng.choice(bad) + b' "', 1)


def no_number(rng: random.Random, made: dict[str, Any]) -> bytes:
    """NaN and Infinity, which many readers take for JSON."""
    value = Token(rng.choice(["NaN", "Infinity", "-Infinity"]))
    made["note"] = rng.choice(["NaN", "Infinity", None])
    put(made, rng.choice(["note", "note", *ORDER]), rng.choice([value, [1, value], {"a": value}]))
    return dump(rng, made)


def no_token(rng: random.Random, made: dict[str, Any]) -> bytes:
    """Values that other notations know: hexadecimals, leading zeros, single quotes, comments, long numbers."""
    bad = ["nan", "infinity", "+Infinity", "0x10", "01", "-01", "+1", "1.", ".5"]
    bad += ["1e", "1e+", "--1", "1_000", "- 1", "True", "None", "undefined", "nul", "'a'", "a", "", "1,", "/* 1 */ 1"]
    bad += ["9" * 4_301, "-" + "9" * 10_000, "9" * 5_000 + ".5", "[1,]", '{"a":1,}', '{"a"}', "{1:1}", "{a:1}"]
    bad += ["1 // one\n", "[1 2]", "[", "]", '"', "`a`", "1;", "٣", "\u00a01", "1\u2028", "b'a'"]
    made["note"] = None
    put(made, rng.choice(["note", *ORDER]), Token(rng.choice(bad)))
    return dump(rng, made)


def too_deep(rng: random.Random, made: dict[str, Any]) -> bytes:
    depth = rng.choice([210, 1_000, 20_000])
    opened, closed = rng.choice([("[", "]"), ('{"a":', "}"), ('[{"cart":', "}]")])
    put(made, rng.choice(["note", "cart", "cart.products", "event_id"]), Token(opened * depth + "1" + closed * depth))
    return rng.choice([dump(rng, made), (opened * depth).encode()])


def noise(rng: random.Random, made: dict[str, Any]) -> bytes:
    del made
    return rng.choice([b"\xff", b"\x00", b"}", b"<?xml", b"\x1f\x8b", b"event"]) + rng.randbytes(rng.randint(0, 300))


def nothing(rng: random.Random, made: dict[str, Any]) -> bytes:
    del made
    return rng.choice([b"", b" ", b"\n", b"\t\r\n  ", b"\0"])
