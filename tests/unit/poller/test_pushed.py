"""What the push service writes on its topic is what the poller reads from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carts_poller.pushed import Pushed, attributes, data, ordering_key, read

_IDS = st.integers(0, 2**63 - 1)
_PUSHED = st.builds(
    Pushed,
    source=st.text(min_size=1).filter(lambda text: text.isprintable()),
    cart_id=_IDS,
    text=st.none() | st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1),
    accepted_at=_IDS,
    request=st.none() | st.text(alphabet="0123456789abcdef", min_size=16, max_size=16),
)
_GOOD = {"kind": "cart", "source": "shop", "cart_id": "5", "accepted_at": "1764000000000000"}


@given(_PUSHED)
def test_a_pushed_cart_comes_out_of_its_message_as_it_went_in(pushed: Pushed) -> None:
    assert read(data(pushed), attributes(pushed)) == pushed


def test_a_cart_is_carried_without_its_line_breaks_under_the_key_of_its_id() -> None:
    pushed = Pushed("shop", 5, '{"id": 5,\r\n "x":\n 1.50}', 1, None)
    assert data(pushed) == b'{"id": 5, "x": 1.50}'
    assert ordering_key(pushed) == "5"
    assert attributes(pushed) == {"kind": "cart", "source": "shop", "cart_id": "5", "accepted_at": "1"}


def test_a_deletion_has_no_data_and_a_keyed_request_its_digest() -> None:
    pushed = Pushed("shop", 5, None, 1, "0123456789abcdef")
    assert data(pushed) == b""
    assert attributes(pushed)["kind"] == "deleted"
    assert attributes(pushed)["request"] == "0123456789abcdef"


def test_attributes_that_others_added_are_left_alone() -> None:
    assert read(b"{}", {**_GOOD, "googclient_x": "1"}) == Pushed("shop", 5, "{}", 1764000000000000, None)


@pytest.mark.parametrize(
    ("body", "change", "sentence"),
    [
        (b"{}", {"kind": None}, "kind is missing"),
        (b"{}", {"kind": "secret"}, "neither `cart` nor `deleted`"),
        (b"", {}, "a cart needs data"),
        (b"{}", {"kind": "deleted"}, "a cart needs data"),
        (b"{}", {"source": ""}, "source is empty"),
        (b"{}", {"cart_id": "secret"}, "cart_id is not a whole number"),
        (b"{}", {"cart_id": "-1"}, "cart_id is not a whole number"),
        (b"{}", {"cart_id": "٣"}, "cart_id is not a whole number"),
        (b"{}", {"cart_id": "05"}, "cart_id is not a whole number"),
        (b"{}", {"cart_id": str(2**63)}, "cart_id is not a whole number"),
        (b"{}", {"accepted_at": None}, "accepted_at is missing"),
        (b"{}", {"accepted_at": "1.5"}, "accepted_at is not a whole number"),
        (b"{}", {"request": "secret"}, "request is not 16 hexadecimal"),
        (b"\xff secret", {}, "not UTF-8"),
    ],
)
def test_a_malformed_message_is_refused_with_a_sentence_that_quotes_no_value(
    body: bytes, change: dict[str, str | None], sentence: str
) -> None:
    given = {name: value for name, value in {**_GOOD, **change}.items() if value is not None}
    with pytest.raises(ValueError, match=sentence) as raised:
        read(body, given)
    assert "secret" not in str(raised.value)
