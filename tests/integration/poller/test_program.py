"""The poller as a program, between a shop and emulators."""

import asyncio
import base64
import gzip
import json
import re
from typing import Any

import pytest

from support import golden

from .conftest import Finished, World, finished, logged, terminated, until


def summary(events: list[dict[str, Any]]) -> set[tuple[str, int, int]]:
    return {(event["event_type"], event["cart_id"], event["version"]) for event in events}


async def test_the_first_poll_publishes_every_cart_and_the_second_nothing(world: World) -> None:
    first = await world.poll_once()
    messages = await world.messages(golden.CARTS)
    second = await world.poll_once()

    assert (first.code, first.errors, first.polled) == (0, "", golden.CARTS)
    assert (second.code, second.errors, second.polled) == (0, "", 0)
    events = [json.loads(message.data) for message in messages]
    assert summary(events) == {("cart_created", number, 1) for number in range(1, golden.CARTS + 1)}
    for message, event in zip(messages, events, strict=True):
        assert dict(message.attributes) == {
            "event_id": event["event_id"],
            "event_type": "cart_created",
            "schema_version": "1",
            "source": "fakestore",
        }
        assert message.ordering_key == ""
    await world.messages(0)


async def test_the_carts_in_the_events_are_those_of_the_shop(world: World) -> None:
    await world.poll_once()

    events = await world.events(golden.CARTS)

    async with world.session.get(f"{world.shop.base_url}/carts") as response:
        assert sorted((event["cart"] for event in events), key=lambda one: one["id"]) == await response.json()


async def test_a_change_a_deletion_and_an_addition_make_exactly_these_events(world: World) -> None:
    await world.poll_once()
    await world.messages(golden.CARTS)

    await world.shop.patch("carts", 1, products=[{"productId": 1, "quantity": 9}])
    await world.shop.delete("carts", 2)
    new = {"userId": 1, "date": "2026-11-24T00:00:00.000Z", "products": [], "loyalty": "gold"}
    added = await world.shop.put("carts", new)
    run = await world.poll_once()

    assert run.polled == 3
    events = await world.events(3)
    assert summary(events) == {("cart_updated", 1, 2), ("cart_deleted", 2, 2), ("cart_created", added["id"], 1)}
    carts = {event["cart_id"]: event["cart"] for event in events}
    assert carts[2] is None
    assert carts[added["id"]] == added


async def test_an_answer_without_most_carts_deletes_none_until_a_person_says_so(world: World) -> None:
    await world.poll_once()
    await world.messages(golden.CARTS)
    for number in range(1, 6):
        await world.shop.delete("carts", number)

    doubted = await world.poll_once()
    believed = await world.poll_once("--accept-missing")

    assert (doubted.polled, believed.polled) == (0, 5)
    assert "suspicious answer: no cart is taken as deleted" in [line["message"] for line in doubted.logs]
    assert summary(await world.events(5)) == {("cart_deleted", number, 2) for number in range(1, 6)}


async def test_events_carry_ordering_keys_when_that_is_configured(world: World) -> None:
    world.extra["EYDP_POLLER_ORDERING_KEYS"] = "true"

    await world.poll_once()

    assert {message.ordering_key for message in await world.messages(golden.CARTS)} == set("1234567")


async def test_what_was_saved_is_published_with_the_same_ids_after_a_kill_before_publishing(world: World) -> None:
    await world.reject_publishing()
    process = await world.start()
    await until(world.pending)
    saved = await world.pending()
    process.kill()
    killed = await finished(process)

    await world.messages(0)
    await world.shop.patch("carts", 1, products=[])
    await world.accept_publishing()
    run = await world.poll_once()

    assert killed.code == -9
    assert len(saved) == golden.CARTS
    assert run.polled == golden.CARTS + 1
    events = await world.events(golden.CARTS + 1)
    assert {event["event_id"] for event in events if event["version"] == 1} == set(saved)
    assert summary(events) >= {("cart_created", 1, 1), ("cart_updated", 1, 2)}
    assert await world.pending() == []


async def test_a_stop_during_publishing_finishes_what_was_saved(world: World) -> None:
    await world.reject_publishing()
    process = await world.start()
    await until(world.pending)

    process.terminate()
    await logged(process, "trying again")
    await world.accept_publishing()
    run = await finished(process)

    assert (run.code, run.errors) == (0, "")
    await world.messages(golden.CARTS)
    assert await world.pending() == []


async def test_a_stop_that_can_not_finish_in_time_leaves_the_events_saved(world: World) -> None:
    world.extra["EYDP_POLLER_DRAIN_TIMEOUT_SECONDS"] = "0.1"
    await world.reject_publishing()
    process = await world.start()
    await until(world.pending)

    run = await terminated(process)

    assert (run.code, run.errors) == (0, "")
    assert len(await world.pending()) == golden.CARTS


async def test_a_stop_does_not_wait_for_a_shop_that_hangs(world: World) -> None:
    await world.shop.misbehave("hang", routes="/carts")
    process = await world.start()

    async def asked() -> bool:
        return bool((await world.shop.state())["misbehaviours"]["served"])

    await until(asked)
    run = await terminated(process)

    assert (run.code, run.errors) == (0, "")


async def test_it_polls_again_and_again_until_it_is_stopped(world: World) -> None:
    process = await world.start()
    first = await logged(process, "polled")
    await world.shop.patch("carts", 3, products=[])

    second = await logged(process, "polled")
    while not second["events"]:
        second = await logged(process, "polled")
    run = await terminated(process)

    assert (first["events"], second["events"], run.code, run.errors) == (golden.CARTS, 1, 0, "")
    assert run.logs[-1]["message"] == "poller stopped"


async def test_probes_and_metrics_tell_how_it_goes_through_an_outage(world: World) -> None:
    process = await world.start()
    port = (await logged(process, "poller started"))["metrics_port"]

    async def get(path: str) -> tuple[int, str]:
        async with world.session.get(f"http://127.0.0.1:{port}{path}") as response:
            return response.status, await response.text()

    async def ready() -> bool:
        return (await get("/readyz"))[0] == 200

    async def not_ready() -> bool:
        return (await get("/readyz"))[0] == 503

    await until(ready)
    await world.shop.misbehave("status", status=503, routes="/carts")
    await until(not_ready)
    _, reasons = await get("/readyz")
    live, _ = await get("/livez")
    await world.shop.behave()
    await until(ready)
    _, metrics = await get("/metrics")
    await terminated(process)

    assert set(json.loads(reasons)["reasons"]) == {"source"}
    assert "503" in json.loads(reasons)["reasons"]["source"]
    assert live == 200
    assert 'poller_events_total{type="cart_created"} 7.0' in metrics
    assert "poller_carts_seen 7.0" in metrics
    assert "poller_pending_events 0.0" in metrics
    assert re.search(r'poller_polls_total{outcome="failed"} [1-9]', metrics)
    assert re.search(r"poller_source_retries_total [1-9]", metrics)


async def test_an_invalid_cart_is_kept_in_quarantine_once_a_day_and_the_others_go_on(world: World) -> None:
    await world.shop.misbehave("wrong_types", routes="/carts", at=0.0)
    first = await world.poll_once()
    second = await world.poll_once()
    names = await world.zone.names("quarantine/")
    await world.shop.behave()
    third = await world.poll_once()

    assert (first.polled, second.polled, third.polled) == (golden.CARTS - 1, 0, 1)
    (name,) = names
    assert name.startswith("quarantine/carts_events/dt=")
    found = await world.zone.read(name)
    assert found is not None
    (line,) = gzip.decompress(found.data).splitlines()
    entry = json.loads(line)
    assert (entry["stage"], entry["reason"], entry["source"]) == ("parse", "wrong_type", "fakestore")
    assert entry["payload"]["userId"] == "not a number"
    assert summary(await world.events(golden.CARTS)) >= {("cart_created", 1, 1)}


async def test_a_cart_sent_twice_makes_one_event(world: World) -> None:
    await world.shop.misbehave("conflicting_duplicates", routes="/carts")

    run = await world.poll_once()

    assert run.polled == golden.CARTS
    last = next(event for event in await world.events(golden.CARTS) if event["cart_id"] == golden.CARTS)
    assert {"productId": 1, "quantity": 99} in last["cart"]["products"]


def sentence(run: Finished) -> str:
    assert "Traceback" not in run.errors
    (line,) = run.errors.splitlines()
    return line.removeprefix("error: ")


async def test_without_a_topic_it_says_so_and_how_to_mend_it(bare_world: World) -> None:
    run = await bare_world.poll_once()

    assert run.code == 78
    assert sentence(run) == (f"topic {bare_world.platform.topic_path} does not exist: create it with `eydp provision`")


async def test_without_a_bucket_it_says_so_and_how_to_mend_it(bare_world: World) -> None:
    await bare_world.create_topic()

    run = await bare_world.poll_once()

    assert run.code == 78
    assert sentence(run) == (
        f"bucket {bare_world.platform.bucket_name} does not exist: create it with `eydp provision`"
    )


async def test_a_shop_that_nobody_serves_is_one_sentence(world: World, unused_tcp_port: int) -> None:
    world.extra["EYDP_SOURCE_URL"] = f"http://127.0.0.1:{unused_tcp_port}"

    run = await world.poll_once()

    assert run.code == 69
    assert f"GET http://127.0.0.1:{unused_tcp_port}/carts failed" in sentence(run)


async def test_a_shop_that_refuses_the_client_is_one_sentence(world: World) -> None:
    await world.shop.misbehave("status", status=403, routes="/carts")

    run = await world.poll_once()

    assert run.code == 78
    assert "EYDP_SOURCE_USER_AGENT" in sentence(run)


@pytest.mark.parametrize("arguments", [["--once"], []], ids=["once", "running"])
async def test_a_corrupt_state_stops_it_with_the_command_that_mends_it(world: World, arguments: list[str]) -> None:
    await world.zone.replace("_state/poller/fakestore/head.json", b"rubbish", generation=0)

    run = await finished(await world.start(*arguments))

    assert run.code == 65
    uri = f"gs://{world.platform.bucket_name}/_state/poller/fakestore/head.json"
    assert f"`gcloud storage mv {uri} {uri}.corrupt`" in sentence(run)
    await world.messages(0)


async def test_a_lost_state_begins_a_new_epoch_and_says_so_in_one_line(world: World) -> None:
    await world.poll_once()
    before = {event["event_id"] for event in await world.events(golden.CARTS)}
    blob = world.storage.bucket(world.platform.bucket_name).blob("_state/poller/fakestore/head.json")
    await asyncio.to_thread(blob.delete)

    run = await world.poll_once()

    after = {event["event_id"] for event in await world.events(golden.CARTS)}
    assert not before & after
    assert [line["severity"] for line in run.logs if "new epoch" in line["message"]] == ["WARNING"]


async def test_an_unknown_setting_is_one_sentence(world: World) -> None:
    world.extra["EYDP_POLLER_INTERVALL_SECONDS"] = "5"

    run = await world.poll_once()

    assert run.code == 78
    assert "did you mean EYDP_POLLER_INTERVAL_SECONDS?" in sentence(run)


async def test_a_taken_port_is_one_sentence(world: World) -> None:
    server = await asyncio.start_server(lambda _, __: None, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        world.extra["EYDP_METRICS_PORT"] = str(port)
        run = await finished(await world.start())

    assert run.code == 78
    assert f"port {port} on 127.0.0.1 is taken" in sentence(run)


async def test_help_needs_no_settings(world: World) -> None:
    world.extra["EYDP_PROJECT"] = ""
    process = await world.start("--help")
    out, errors = await process.communicate()

    assert (process.returncode, errors) == (0, b"")
    assert b"--once" in out


async def test_a_line_of_quarantine_can_be_read_back_whatever_the_cart_looks_like(world: World) -> None:
    text = '[{"id":1,\n"userId":null}]'

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        world.extra["EYDP_SOURCE_URL"] = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        run = await world.poll_once()

    assert run.polled == 0
    (name,) = await world.zone.names("quarantine/")
    found = await world.zone.read(name)
    assert found is not None
    entry = json.loads(gzip.decompress(found.data))
    assert base64.b64decode(entry["payload_base64"]).decode() == text[1:-1]
