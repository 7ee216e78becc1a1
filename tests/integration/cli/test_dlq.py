"""`eydp dlq` against the embedded stack and a consumer that runs: looking takes nothing, redriving doubles nothing."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from google.pubsub_v1 import types

from dataplatform import clients
from dataplatform.envelope import read_lines
from localcloud.state import StackState
from support.events import event
from support.programs import until
from support.pubsub import archived, emulators
from support.redrive import World, kill, world

_PUBSUBS_OWN = {
    "CloudPubSubDeadLetterSourceDeliveryCount": "10",
    "CloudPubSubDeadLetterSourceSubscription": "carts-events-sub",
    "CloudPubSubDeadLetterSourceTopicPublishTime": "2026-11-24T06:00:00.000Z",
}


@pytest.fixture(scope="module")
def platform(
    stack: StackState, stack_env: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with world(stack, stack_env, tmp_path_factory.mktemp("dlq")) as made:
        yield made


@pytest.fixture(autouse=True)
def _no_letters_are_left(platform: World) -> Iterator[None]:
    yield
    assert platform.dead_letters() == 0


def _die(platform: World, *payloads: dict[str, Any]) -> list[str]:
    """Put messages where Pub/Sub puts those that it gives up, as it does; return their ids."""
    environment = platform.environment
    topic = f"projects/{environment['EYDP_PROJECT']}/topics/{environment['EYDP_DEAD_LETTER_TOPIC']}"
    attributes = {"source": "test", "event_type": "cart_created", **_PUBSUBS_OWN}
    messages = [
        types.PubsubMessage(data=json.dumps(payload).encode(), attributes=attributes, ordering_key="7")
        for payload in payloads
    ]

    async def send() -> list[str]:
        client = clients.publisher_client(emulators(environment))
        answer = await client.publish(topic=topic, messages=messages, retry=None, timeout=20)
        await client.transport.close()
        return list(answer.message_ids)

    return asyncio.run(send())


def _listed(platform: World) -> list[str]:
    return [letter["id"] for letter in platform.eydp("dlq", "list", "--wait", "1", "--json").json]


def _raw(platform: World, cart_id: int) -> list[Any]:
    """The lines of the raw zone that hold events of a cart."""
    lines = [line for text in archived(platform.environment, "carts_events/") for line in read_lines(text)]
    return [line for line in lines if json.loads(line.payload)["cart_id"] == cart_id]


def test_looking_takes_nothing_and_a_redrive_makes_one_row_of_the_original_message(platform: World) -> None:
    ids = _die(platform, event(cart_id=600), event(cart_id=601), event(cart_id=602))
    table = platform.eydp("dlq", "list", "--wait", "1").out.splitlines()
    assert [line.split()[0] for line in table[1:]] == ids
    assert {"10", "carts-events-sub", "cart_created"} <= set(table[1].split())
    shown = platform.eydp("dlq", "show", ids[1], "--json").json
    assert json.loads(shown["payload"]) == event(cart_id=601)
    assert (shown["deliveries"], shown["consumer_now"], shown["ordering_key"]) == ("10", "valid", "7")
    assert _listed(platform) == ids
    planned = platform.eydp("dlq", "redrive", "--all", "--dry-run", "--wait", "1").out
    assert planned == "3 dead letters would be published again\n"
    assert platform.dead_letters() == 3

    platform.eydp("dlq", "redrive", ids[0])
    assert _listed(platform) == ids[1:]
    assert platform.eydp("dlq", "redrive", "--all", "--wait", "1").out == "2 dead letters published again\n"
    platform.settled()
    assert platform.carts(600, 601, 602) == [600, 601, 602]
    (line,) = _raw(platform, 600)
    assert line.payload == json.dumps(event(cart_id=600)).encode()
    assert line.fields["attributes"] == {
        "source": "test",
        "event_type": "cart_created",
        "redrive_of": f"dlq-{ids[0]}",
        "redrive_message_id": ids[0],
    }
    assert "no dead letter came" in platform.eydp("dlq", "redrive", "--all", "--wait", "1").out


@pytest.mark.long  # the same as for quarantine, which stays in the short run
def test_killed_between_publish_and_acknowledgement_it_ends_in_one_row_and_keeps_others_out(platform: World) -> None:
    _die(platform, event(cart_id=700), event(cart_id=701))
    published = platform.published()
    with platform.refusing("Acknowledge"):  # of the consumer too: it has nothing else to do
        dying = platform.start("dlq", "redrive", "--all", "--lease-seconds", "10")
        until(lambda: platform.published() == published + 2, "the publish", seconds=30)
        busy = platform.eydp("dlq", "redrive", "--all", code=75).err
        kill(dying)
    assert "is at it, and nothing was done" in busy
    assert platform.dead_letters() == 2
    platform.settled()
    platform.lease_ran_out("dlq")
    assert platform.eydp("dlq", "redrive", "--all", "--wait", "12", "--limit", "2").out.startswith("2 dead letters")
    platform.settled()
    assert platform.published() == published + 4
    assert platform.carts(700, 701) == [700, 701]
    assert [len({line.fields["attributes"]["redrive_of"] for line in _raw(platform, cart)}) for cart in (700, 701)] == [
        1,
        1,
    ]


def test_a_discarded_letter_is_a_closed_entry_of_quarantine_with_its_bytes(platform: World) -> None:
    (kept, dropped) = _die(platform, event(cart_id=800), event(cart_id=801))
    published = platform.published()
    told = platform.eydp("dlq", "discard", dropped, "--note", "the shop sent it twice").out
    assert told == "1 dead letter moved to quarantine, closed there as discarded, and acknowledged\n"
    assert _listed(platform) == [kept]
    ((entry_id, entry),) = platform.entries(reason="dead_letter").items()
    assert (entry["state"], entry["stage"]) == ("discarded", "dead_letter")
    shown = platform.eydp("quarantine", "show", entry_id, "--json").json
    assert json.loads(shown["payload"]) == event(cart_id=801)
    assert shown["actions"][0]["note"] == "the shop sent it twice"
    objects = [line for text in archived(platform.environment, "quarantine/") for line in read_lines(text)]
    kept_bytes = [line.payload for line in objects if line.fields["quarantine_id"] == entry_id]
    assert kept_bytes == [json.dumps(event(cart_id=801)).encode()]
    assert platform.published() == published
    platform.eydp("dlq", "discard", "--all", "--note", "the rest", "--wait", "1")
    assert platform.carts(800, 801) == []


@pytest.mark.long
def test_a_letter_that_is_invalid_comes_to_quarantine_as_one_entry_that_can_be_redriven(platform: World) -> None:
    (letter_id,) = _die(platform, event(cart_id=900, version=0))
    told = platform.eydp("dlq", "redrive", letter_id).out
    assert told == "1 dead letter published again; this version's consumer refuses 1 out_of_range\n"
    platform.settled()
    ((entry_id, entry),) = platform.entries(reason="out_of_range").items()
    assert (entry["state"], entry["attempts"]) == ("open", 0)
    platform.eydp("quarantine", "redrive", entry_id)
    platform.settled()
    ((same_id, entry),) = platform.entries(reason="out_of_range").items()
    assert (same_id, entry["state"], entry["attempts"]) == (entry_id, "open", 1)


def test_mistakes_are_one_sentence(platform: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in (["redrive"], ["show"], ["discard", "--note", "x"]):
        told = platform.eydp("dlq", *command, "17", "--wait", "1", code=65).err
        assert told == "error: no dead letter 17 came: `eydp dlq list` shows those there are\n"
    monkeypatch.setenv("EYDP_DEAD_LETTER_SUBSCRIPTION", "nowhere")
    (sentence,) = platform.eydp("dlq", "list", "--wait", "1", code=78).err.splitlines()
    assert "`eydp provision`" in sentence
