"""The mark: a copy is known for what it is, and nobody can pass other bytes off as an entry."""

from hypothesis import given
from hypothesis import strategies as st

from dataplatform import redrive

ATTRIBUTES = st.dictionaries(
    st.text("abcdefgh_", min_size=1, max_size=8), st.text(max_size=20), max_size=5
)  # none of them is the mark


def test_an_unmarked_message_is_its_own_origin_whatever_attributes_it_has() -> None:
    attributes = {redrive.ORIGIN: "7", redrive.ATTEMPT: "3"}
    assert redrive.origin(attributes, "9") == "9"
    assert redrive.attempt(attributes) == 0


@given(attributes=ATTRIBUTES, message_id=st.text("0123456789", min_size=1), data=st.binary())
def test_a_redriven_message_has_the_quarantine_id_that_it_was_published_for(
    attributes: dict[str, str], message_id: str, data: bytes
) -> None:
    entry = redrive.quarantine_id(attributes, message_id, data)
    first = redrive.marked(attributes, entry, 1, redrive.origin(attributes, message_id))
    assert redrive.quarantine_id(first, "another id", data) == entry
    # It came back and is published once more, now from the row of its return.
    second = redrive.marked(first, entry, 2, redrive.origin(first, "another id"))
    assert redrive.quarantine_id(second, "a third id", data) == entry
    assert (redrive.attempt(first), redrive.attempt(second)) == (1, 2)
    assert second.items() >= attributes.items()


def test_other_bytes_with_a_borrowed_mark_are_another_entry() -> None:
    entry = redrive.quarantine_id({}, "1", b"bytes")
    borrowed = redrive.marked({}, entry, 1, "1")
    assert redrive.quarantine_id(borrowed, "2", b"bytes") == entry
    assert redrive.quarantine_id(borrowed, "2", b"other") != entry


def test_an_attempt_that_is_no_number_of_ours_counts_as_none() -> None:
    for text in ("", "-1", "1.5", "many", "9" * 7, "\u0661"):
        assert redrive.attempt({redrive.MARK: "x", redrive.ATTEMPT: text}) == 0


def test_a_dead_letter_is_published_with_its_own_attributes_and_a_mark() -> None:
    letter = {"source": "fakestore", "CloudPubSubDeadLetterSourceDeliveryCount": "10"}
    assert redrive.marked_dead_letter(letter, "5") == {
        "source": "fakestore",
        redrive.MARK: "dlq-5",
        redrive.ORIGIN: "5",
    }


def test_a_dead_letter_that_was_redriven_before_stays_the_entry_that_it_is() -> None:
    entry = redrive.quarantine_id({}, "1", b"bytes")
    letter = {**redrive.marked({}, entry, 4, "1"), "CloudPubSubDeadLetterSourceDeliveryCount": "10"}
    again = redrive.marked_dead_letter(letter, "77")
    assert again == redrive.marked({}, entry, 4, "1")
    assert redrive.quarantine_id(again, "78", b"bytes") == entry


def test_what_pubsub_would_refuse_is_known_beforehand() -> None:
    many = {f"a{number}": "" for number in range(98)}
    assert redrive.publishable(many, b"x")
    assert not redrive.publishable(redrive.marked(many, "id", 1, "1"), b"x")
    assert redrive.publishable({}, bytes(redrive.MAX_MESSAGE_BYTES))
    assert not redrive.publishable({"ä": ""}, bytes(redrive.MAX_MESSAGE_BYTES - 1))
