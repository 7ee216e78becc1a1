"""Batches, requests, marks and payloads: what a redrive is made of."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dataplatform import redrive
from eydp.redrive import shown
from eydp.redrive.entries import Entry
from eydp.redrive.originals import MAX_BYTES, MAX_ENTRIES, Original, batches
from eydp.redrive.payload import as_text, for_scripts
from eydp.redrive.publisher import MAX_REQUEST_BYTES, MAX_REQUEST_MESSAGES, Outgoing, requests
from eydp.redrive.quarantine import Redrive, Report, outgoing

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


def _entry(number: int = 0, **changes: Any) -> Entry:
    made: dict[str, Any] = {
        "id": f"id-{number}",
        "quarantined_at": NOW,
        "first_quarantined_at": NOW,
        "entity": "carts_events",
        "stage": "decode",
        "reason": "not_json",
        "detail": "",
        "redrives": 0,
        "returned": 0,
        "state": "open",
        "encoded": 4,
        "raw_uri": "gs://b/x",
    }
    return Entry(**{**made, **changes})


@given(st.lists(st.integers(0, 20_000_000), max_size=1_200))
def test_batches_keep_the_order_and_their_bounds(sizes: list[int]) -> None:
    entries = [_entry(number, encoded=size) for number, size in enumerate(sizes)]
    made = list(batches(entries))
    assert [entry for batch in made for entry in batch] == entries
    for batch in made:
        assert 0 < len(batch) <= MAX_ENTRIES
        assert len(batch) == 1 or sum(entry.encoded * 3 // 4 for entry in batch) <= MAX_BYTES


def test_entries_whose_size_is_not_known_go_in_small_batches() -> None:
    assert {len(batch) for batch in batches([_entry(n, encoded=0) for n in range(60)])} == {20}


@given(st.lists(st.integers(0, 3_000_000), max_size=20))
def test_requests_keep_the_order_and_pubsubs_limits(sizes: list[int]) -> None:
    messages = [Outgoing(bytes(size), {"number": str(place)}) for place, size in enumerate(sizes)]
    made = list(requests(messages))
    assert [message for group in made for message in group] == messages
    assert all(sum(len(message.data) for message in group) <= MAX_REQUEST_BYTES for group in made)


def test_a_request_holds_no_more_messages_than_pubsub_takes() -> None:
    assert [len(group) for group in requests([Outgoing(b"x", {})] * 2_500)] == [
        MAX_REQUEST_MESSAGES,
        MAX_REQUEST_MESSAGES,
        500,
    ]


def test_a_message_larger_than_the_bound_goes_alone() -> None:
    large = Outgoing(bytes(MAX_REQUEST_BYTES + 1), {})
    small = Outgoing(b"x", {})
    assert [len(group) for group in requests([small, large, small])] == [1, 1, 1]


def test_a_redrive_counts_up_and_one_in_doubt_keeps_its_number() -> None:
    assert _entry().next_attempt == 1
    assert _entry(redrives=1, returned=1).next_attempt == 2
    assert _entry(redrives=2, returned=1, state="in doubt").next_attempt == 2
    # It came with a number of somebody else's ledger: the next one must differ from it.
    assert _entry(redrives=0, returned=5).next_attempt == 6


def test_an_entry_goes_out_as_it_came_with_its_mark() -> None:
    original = Original(b"\xff\x00", {"source": "x"}, "41", "gs://b/x")
    message = outgoing(_entry(7, redrives=1, state="in doubt"), original)
    assert message.data == b"\xff\x00"
    assert message.attributes == {
        "source": "x",
        redrive.MARK: "id-7",
        redrive.ATTEMPT: "1",
        redrive.ORIGIN: "41",
    }


def test_text_is_shown_as_text_and_can_not_steer_the_terminal() -> None:
    assert as_text("ä\n\x1b[31m".encode(), 100) == "ä\n\\x1b[31m"


def test_what_is_no_text_is_shown_as_hex() -> None:
    assert as_text(b"\xff\x00\x01\x02\x03", 100) == "ff 00010203"


def test_a_long_payload_is_cut_between_characters_and_says_so() -> None:
    assert as_text("aää".encode(), 2) == "a\n… 2 of 5 bytes"
    assert for_scripts("aää".encode(), 2) == {"payload": "a", "payload_bytes": 5, "payload_complete": False}


def test_scripts_get_bytes_that_are_no_text_in_base64() -> None:
    assert for_scripts(b"\xff", 9) == {"payload_base64": "/w==", "payload_bytes": 1, "payload_complete": True}


async def test_a_cart_that_the_poller_refused_is_no_message_and_is_not_published() -> None:
    report = Report()
    nothing: Any = None
    await Redrive(nothing, None, None).run([_entry(stage="parse")], NOW, report)
    assert (report.done, report.elsewhere) == (0, {"carts_events": 1})
    assert "refused by the poller" in next(iter(shown.redriven(report, dry_run=True)))
