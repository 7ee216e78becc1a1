"""One request and the next: signatures, keys to retries, times, and what Pub/Sub's outage means to all of them."""

import asyncio
from pathlib import Path

import pytest

from carts_poller.push.problem import Code, ProblemError

from .pushing import KEY, OTHER_KEY, Shop, running, text, turns


async def problem(shop: Shop, body: bytes, key: str | None = None, **more: object) -> Code:
    with pytest.raises(ProblemError) as raised:
        await shop.push(body, key, **more)  # type: ignore[arg-type]  # passed on as they are
    return raised.value.code


async def test_a_pushed_cart_is_published_as_received_with_source_and_time(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        assert await shop.push(text(5)) == 1
        (record,) = shop.topic.records
        assert (record.source, record.cart_id, record.text) == ("shop", 5, text(5).decode())
        assert record.accepted_at == int(shop.clock.now().timestamp() * 1_000_000) - 3_000  # the linger that followed


async def test_times_grow_over_records_and_requests_even_when_the_clock_does_not(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        body = b"\n".join(text(number) for number in range(3))
        start = shop.clock.now()
        await shop.push(body, kind="ndjson")
        shop.clock.advance((start - shop.clock.now()).total_seconds())
        await shop.push(text(9))
        times = [record.accepted_at for record in shop.topic.records]
        assert times == list(range(times[0], times[0] + 4))


@pytest.mark.parametrize("seconds", [-301, 301])
async def test_a_time_outside_the_window_is_stale(tmp_path: Path, seconds: int) -> None:
    async with running(tmp_path) as shop:
        at = int(shop.clock.now().timestamp()) + seconds
        with pytest.raises(ProblemError) as raised:
            shop.service.claimed(str(at), f"v1={'0' * 64}")
        assert raised.value.code is Code.STALE
        assert shop.service.claimed(str(at - seconds // 301), f"v1={'0' * 64}").mac == bytes(32)


async def test_a_signature_by_another_key_or_over_another_body_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        assert await problem(shop, text(5), signed=shop.claim(text(5), key=OTHER_KEY)) is Code.FORGED
        assert await problem(shop, text(5), signed=shop.claim(text(6))) is Code.FORGED
        large = b"[" + text(5, note="x" * (1 << 19)) + b"]"
        assert await problem(shop, large, signed=shop.claim(text(6))) is Code.FORGED
        assert await shop.push(large) == 1


async def test_a_key_that_was_added_counts_and_one_that_was_taken_away_does_not(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        keys = Path(shop.settings.keys_dir)
        (keys / "second").write_bytes(OTHER_KEY)
        shop.keyring.reread()
        assert await shop.push(text(1), signed=shop.claim(text(1), key=KEY)) == 1
        assert await shop.push(text(2), signed=shop.claim(text(2), key=OTHER_KEY)) == 1
        (keys / "first").unlink()
        shop.keyring.reread()
        assert await problem(shop, text(3), signed=shop.claim(text(3), key=KEY)) is Code.FORGED
        assert await shop.push(text(3), signed=shop.claim(text(3), key=OTHER_KEY)) == 1


async def test_a_signature_is_taken_once_until_its_time_is_over(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        ahead = int(shop.clock.now().timestamp()) + 300
        signed = shop.claim(text(5), at=ahead)
        await shop.push(text(5), signed=signed)
        for _ in range(6):
            assert await problem(shop, text(5), signed=signed) is Code.REPLAYED
            shop.clock.advance(99)
        assert len(shop.service.signatures) == 1
        shop.clock.advance(10)
        with pytest.raises(ProblemError) as raised:
            shop.service.claimed(str(ahead), f"v1={signed.mac.hex()}")
        assert raised.value.code is Code.STALE
        await shop.push(text(6))
        assert len(shop.service.signatures) == 1


async def test_a_replay_with_a_key_of_its_own_is_refused_all_the_same(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        signed = shop.claim(text(5))
        await shop.push(text(5), "mine", signed=signed)
        assert await problem(shop, text(5), "another", signed=signed) is Code.REPLAYED
        assert await problem(shop, text(5), signed=signed) is Code.REPLAYED
        assert await shop.push(text(5), "mine", signed=signed) == 1
        assert len(shop.topic.records) == 1


async def test_a_signature_that_came_to_nothing_may_come_again(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        signed, bad = shop.claim(text(5)), shop.claim(b"{}")
        shop.topic.down = True
        assert await problem(shop, text(5), signed=signed) is Code.UNAVAILABLE
        shop.topic.down = False
        assert await shop.push(text(5), signed=signed) == 1
        for _ in range(2):
            assert await problem(shop, b"{}", signed=bad) is Code.BAD_RECORDS


async def test_no_signature_is_taken_that_could_not_be_remembered(tmp_path: Path) -> None:
    async with running(tmp_path, max_signatures=2) as shop:
        await shop.push(text(1))
        await shop.push(text(2))
        assert await problem(shop, text(3)) is Code.BUSY
        shop.clock.advance(301)
        assert await shop.push(text(3)) == 1


async def test_the_same_key_and_body_get_the_former_answer_and_publish_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        body = b"[" + text(1) + b"," + text(2) + b"]"
        for _ in range(3):
            assert await shop.push(body, "key") == 2
            shop.clock.advance(5)
        assert len(shop.topic.records) == 2


async def test_a_retry_that_meets_the_first_try_in_flight_waits_for_its_answer(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        shop.topic.open.clear()
        tries = [asyncio.create_task(shop.push(text(1), "key")) for _ in range(3)]
        await turns()
        assert not any(task.done() for task in tries)
        shop.topic.open.set()
        assert await asyncio.gather(*tries) == [1, 1, 1]
        assert len(shop.topic.records) == 1


async def test_a_retry_that_waits_for_a_try_that_fails_fails_with_it_and_the_next_one_is_a_new_try(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as shop:
        shop.topic.open.clear()
        tries = [asyncio.create_task(shop.push(text(1), "key")) for _ in range(2)]
        await turns()
        shop.topic.down = True
        shop.topic.open.set()
        found = await asyncio.gather(*tries, return_exceptions=True)
        assert [error.code for error in found if isinstance(error, ProblemError)] == [Code.UNAVAILABLE] * 2
        shop.topic.down = False
        assert await shop.push(text(1), "key") == 1


async def test_a_client_that_gives_up_takes_nothing_from_one_that_waits_for_the_same_answer(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        shop.topic.open.clear()
        first, second, third = [asyncio.create_task(shop.push(text(1), "key")) for _ in range(3)]
        await turns()
        second.cancel()
        await turns()
        shop.topic.open.set()
        assert list(await asyncio.gather(first, third)) == [1, 1]


async def test_a_key_with_another_body_is_refused_while_the_key_is_remembered(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        await shop.push(text(1), "key")
        assert await problem(shop, text(2), "key") is Code.KEY_REUSED
        shop.clock.advance(600)
        assert await shop.push(text(2), "key") == 1


async def test_a_key_whose_request_was_refused_may_come_with_a_better_body(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        assert await problem(shop, b"{}", "key") is Code.BAD_RECORDS
        assert await shop.push(text(2), "key") == 1


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 201, "\u00e9", "a\x7f"])
async def test_a_malformed_key_is_refused(tmp_path: Path, key: str) -> None:
    async with running(tmp_path) as shop:
        assert await problem(shop, text(1), key) is Code.BAD_KEY


async def test_records_of_a_keyed_request_are_known_again_on_another_replica_and_others_are_not(tmp_path: Path) -> None:
    seen: list[list[str | None]] = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        async with running(tmp_path / name) as shop:
            shop.clock.advance(len(seen))
            await shop.push(b"[" + text(1) + b"," + text(1) + b"]", "key")
            await shop.push(text(1), "other")
            seen.append([record.request for record in shop.topic.records])
    assert seen[0] == seen[1]
    assert len(set(seen[0])) == 3


async def test_a_signed_request_is_known_again_on_another_replica_and_the_same_cart_signed_later_is_not(
    tmp_path: Path,
) -> None:
    seen: list[str | None] = []
    for name, later in (("one", 0), ("two", 0), ("three", 1)):
        (tmp_path / name).mkdir()
        async with running(tmp_path / name) as shop:
            shop.clock.advance(later)
            await shop.push(text(1))
            seen.append(shop.topic.records[0].request)
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]
    assert all(seen)


async def test_a_key_with_another_body_is_not_known_where_nobody_remembers_the_first(tmp_path: Path) -> None:
    seen: list[str | None] = []
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        async with running(tmp_path / str(number)) as shop:
            await shop.push(text(number), "other")
            seen.append(shop.topic.records[0].request)
    assert seen[0] != seen[1]


async def test_nothing_of_a_request_with_a_bad_record_is_published(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        with pytest.raises(ProblemError) as raised:
            await shop.push(text(1) + b"\n{}\n" + text(2), kind="ndjson")
        assert [(item.index, item.reason) for item in raised.value.bad] == [(1, "no_id")]
        await turns()
        assert shop.topic.records == []


async def test_a_rate_is_kept_by_those_who_signed_and_not_used_up_by_strangers(tmp_path: Path) -> None:
    async with running(tmp_path, requests_per_second=1, requests_burst=2) as shop:
        for _ in range(5):
            assert await problem(shop, text(1), signed=shop.claim(text(1), key=OTHER_KEY)) is Code.FORGED
        await shop.push(text(1))
        await shop.push(text(2))
        with pytest.raises(ProblemError) as raised:
            await shop.push(text(3))
        assert raised.value.code is Code.TOO_FAST
        assert raised.value.headers == {"Retry-After": "1"}
        shop.clock.advance(1)
        await shop.push(text(3))


async def test_other_requests_get_their_turn_while_a_large_one_is_read(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        large = asyncio.create_task(shop.push(b"\n".join(text(number) for number in range(9_000)), kind="ndjson"))
        await turns(3)
        assert await shop.push(text(99_999)) == 1
        assert shop.topic.records[0].cart_id == 99_999
        assert await large == 9_000
