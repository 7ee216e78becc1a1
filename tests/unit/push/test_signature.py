"""Who may push: the signature, its headers, the keys in their folder."""

import hashlib
import hmac
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carts_poller.push.keys import Keyring, read_keys
from carts_poller.push.signature import claim, is_genuine, sign
from dataplatform.errors import ConfigurationError

from .pushing import KEY, OTHER_KEY

_HEX = "0" * 64


def test_a_signature_is_the_hmac_of_time_dot_body() -> None:
    wanted = hmac.new(KEY, b'1764000000.{"id": 5}', hashlib.sha256).hexdigest()
    assert sign(KEY, 1764000000, b'{"id": 5}') == f"v1={wanted}"


@given(st.binary(max_size=200), st.integers(1, 10**12 - 1))
def test_what_was_signed_is_genuine_under_that_key_alone(body: bytes, at: int) -> None:
    made = claim(str(at), sign(KEY, at, body))
    assert made
    assert is_genuine(made, [KEY], body)
    assert is_genuine(made, [OTHER_KEY, KEY], body)
    assert is_genuine(made, [KEY, OTHER_KEY], body)
    assert not is_genuine(made, [OTHER_KEY], body)
    assert not is_genuine(made, [], body)


@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(1, 10**12 - 1), st.integers(1, 10**12 - 1))
def test_another_body_or_another_time_is_not_genuine(body: bytes, other: bytes, at: int, then: int) -> None:
    made = claim(str(then), sign(KEY, at, body))
    assert made
    assert is_genuine(made, [KEY], other) is ((body, at) == (other, then))


def test_a_dot_can_not_be_moved_between_time_and_body() -> None:
    made = claim("12", sign(KEY, 1, b"2.x"))
    assert made
    assert not is_genuine(made, [KEY], b"x")


@pytest.mark.parametrize("timestamp", [None, "", "0", "-1", "+1", "1.0", "01", " 1", "1 ", "1e9", "1" * 13, "\u0661"])
def test_a_time_that_is_not_plain_unix_seconds_is_no_claim(timestamp: str | None) -> None:
    assert claim(timestamp, f"v1={_HEX}") is None
    assert claim("1764000000", f"v1={_HEX}")


@pytest.mark.parametrize(
    "signature",
    [None, "", _HEX, f"v2={_HEX}", f"v1={_HEX}0", f"v1={_HEX[1:]}", f"v1={'G' * 64}", f"v1={_HEX},v1={_HEX}"],
)
def test_a_signature_of_another_form_is_no_claim(signature: str | None) -> None:
    assert claim("1764000000", signature) is None


def test_a_key_is_what_stands_in_its_file_without_white_space_around_it(tmp_path: Path) -> None:
    (tmp_path / "first").write_bytes(KEY + b"\n")
    assert read_keys(str(tmp_path)) == (KEY,)


def test_hidden_files_are_no_keys(tmp_path: Path) -> None:
    (tmp_path / "first").write_bytes(KEY)
    (tmp_path / "..data").write_bytes(OTHER_KEY)
    assert read_keys(str(tmp_path)) == (KEY,)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "holds 0 keys"),
        ({"a": KEY, "b": OTHER_KEY, "c": KEY[::-1]}, "holds 3 keys"),
        ({"a": b"secret"}, "has 6 bytes"),
        ({"a": b"  \n"}, "has 0 bytes"),
        ({"a": b"x" * 5000}, "32 to 4096 are wanted"),
    ],
)
def test_a_folder_without_good_keys_is_refused_in_a_sentence_that_quotes_none(
    tmp_path: Path, files: dict[str, bytes], sentence: str
) -> None:
    for name, key in files.items():
        (tmp_path / name).write_bytes(key)
    with pytest.raises(ConfigurationError, match=sentence) as raised:
        read_keys(str(tmp_path))
    assert "secret" not in str(raised.value)
    assert KEY.decode() not in str(raised.value)


@pytest.mark.parametrize(("folder", "sentence"), [("", "EYDP_PUSH_KEYS_DIR is not set"), ("nowhere", "can't be read")])
def test_a_folder_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=sentence):
        read_keys(folder)


def test_keys_change_over_by_two_that_count_at_once(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(KEY)
    ring = Keyring(str(tmp_path))
    assert not ring.reread()
    (tmp_path / "new").write_bytes(OTHER_KEY)
    assert ring.reread()
    assert set(ring.keys) == {KEY, OTHER_KEY}
    (tmp_path / "old").unlink()
    assert ring.reread()
    assert ring.keys == (OTHER_KEY,)


def test_the_former_keys_count_while_the_folder_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(KEY)
    ring = Keyring(str(tmp_path))
    (tmp_path / "old").unlink()
    with pytest.raises(ConfigurationError):
        ring.reread()
    assert ring.keys == (KEY,)
