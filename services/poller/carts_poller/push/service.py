"""One request from its bytes to its answer: who signed it, was it here before, what does it hold, is it published?

Knows nothing of HTTP but the headers' meaning.
"""

import asyncio
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from carts_poller.push.group import Group
from carts_poller.push.keys import Keyring
from carts_poller.push.limits import TokenBucket
from carts_poller.push.memory import Answers, Signatures
from carts_poller.push.problem import BadRecord, Code, ProblemError
from carts_poller.push.records import BodyError, Record, document, ndjson
from carts_poller.push.settings import PushSettings
from carts_poller.push.signature import Claim, claim, is_genuine
from carts_poller.pushed import Pushed
from dataplatform.clock import Clock
from dataplatform.errors import PlatformError
from dataplatform.logs import logger
from dataplatform.metrics import PushMetrics
from dataplatform.rawzone import digest
from dataplatform.retry import describe

_KEY = re.compile(r"[\x21-\x7e]{1,200}")
#: No client's key begins like this.
_BY_SIGNATURE = "\0"
#: Between two looks at the event loop: a few milliseconds of work.
_SLICE = 256
#: Larger bodies are hashed in a thread, as they would hold up other requests for milliseconds.
_LARGE_BODY = 1 << 18

Kind = Literal["json", "ndjson"]


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request: what `Service.claimed` made of its signature, the other header as it came, and the whole body."""

    kind: Kind
    claim: Claim
    idempotency_key: str | None
    body: bytes


class Service:
    """Takes pushed carts of one source."""

    def __init__(
        self, source: str, keyring: Keyring, group: Group, settings: PushSettings, clock: Clock, metrics: PushMetrics
    ) -> None:
        self._source = source
        self._keyring = keyring
        self._group = group
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._bucket = TokenBucket(clock, rate=settings.requests_per_second, burst=settings.requests_burst)
        self.signatures = Signatures(settings.max_signatures)
        self.answers = Answers(clock, seconds=settings.idempotency_seconds, max_count=settings.idempotency_max_keys)
        self._accepted_at = 0

    def claimed(self, timestamp: str | None, signature: str | None) -> Claim:
        """Return what the two headers of a request say, before its body is read.

        Raises:
            ProblemError: they are missing or malformed, or the time is too far from the clock.
        """
        signed = claim(timestamp, signature)
        if signed is None:
            raise ProblemError(Code.UNSIGNED, "both headers are needed: unix seconds, and v1= with 64 hexadecimals")
        if abs(signed.at - self._now) > self._settings.window_seconds:
            raise ProblemError(
                Code.STALE, f"sign anew: it may differ by {self._settings.window_seconds} s from the server's clock"
            )
        return signed

    async def accept(self, incoming: Incoming) -> int:
        """Return how many records were taken, all of them confirmed by Pub/Sub.

        Raises:
            ProblemError: they were not.
        """
        await self._authenticate(incoming)
        if seconds := self._bucket.wait():
            raise ProblemError(Code.TOO_FAST, "wait as long as Retry-After says", retry_after=seconds)
        key = incoming.idempotency_key
        if key is None:
            return await self._once(incoming)
        if not _KEY.fullmatch(key):
            raise ProblemError(Code.BAD_KEY, "a key has 1 to 200 visible ASCII characters")
        body = hashlib.blake2b(incoming.body, digest_size=16).digest()
        if known := self.answers.find(key):
            if known.body != body:
                raise ProblemError(Code.KEY_REUSED, "a key belongs to one body; take a new key for another one")
            return await asyncio.shield(known.taken)
        begun = self.answers.begin(key, body)
        try:
            taken = await self._once(incoming)
        except ProblemError as problem:
            self.answers.fail(key, begun, problem)
            raise
        except BaseException:
            self.answers.fail(key, begun, _unavailable(self._settings))
            raise
        begun.taken.set_result(taken)
        return taken

    async def _authenticate(self, incoming: Incoming) -> None:
        signed, keys, body = incoming.claim, self._keyring.keys, incoming.body
        if len(body) > _LARGE_BODY:
            genuine = await asyncio.to_thread(is_genuine, signed, keys, body)
        else:
            genuine = is_genuine(signed, keys, body)
        if not genuine:
            raise ProblemError(Code.FORGED, "sign the timestamp, a dot and the exact bytes of the body")

    async def _once(self, incoming: Incoming) -> int:
        """Take a request unless its signature was here before; forget the signature when nothing comes of it."""
        signed = incoming.claim
        self.signatures.sweep(self._now)
        if signed.mac in self.signatures:
            raise ProblemError(
                Code.REPLAYED, "sign with another time; a retry needs the Idempotency-Key of the first try"
            )
        if self.signatures.full:
            raise ProblemError(
                Code.BUSY, "too many signatures to remember", retry_after=self._settings.retry_after_seconds
            )
        self.signatures.remember(signed.mac, signed.at + self._settings.window_seconds)
        try:
            return await self._taken(incoming)
        except BaseException:
            self.signatures.forget(signed.mac)
            raise

    async def _taken(self, incoming: Incoming) -> int:
        records = await self._records(incoming)
        # Without a key a record is known by the signature of its request: a replay is nothing new on any replica.
        key = incoming.idempotency_key or _BY_SIGNATURE + incoming.claim.mac.hex()
        # Nothing is awaited from here to the queue: what was accepted later also stands later in it.
        first = self._times(len(records))
        pushed = [
            Pushed(
                self._source,
                record.cart_id,
                record.text,
                first + index,
                request_digest(key, index, record.text),
            )
            for index, record in enumerate(records)
        ]
        try:
            await self._group.submit(pushed)
        except Exception as error:
            self._metrics.records.labels("failed").inc(len(records))
            if not isinstance(error, PlatformError):  # no outage: a topic that is gone, a right that was taken away
                logger().error("pushed carts can't be published", reason=describe(error))
            raise _unavailable(self._settings) from error
        self._metrics.records.labels("accepted").inc(len(records))
        return len(records)

    async def _records(self, incoming: Incoming) -> Sequence[Record]:
        good: list[Record] = []
        bad: list[BadRecord] = []
        try:
            for index, item in enumerate(_parsed(incoming)):
                if index == self._settings.max_records:
                    raise ProblemError(Code.TOO_MANY, f"split it: {self._settings.max_records} are taken at once")
                if isinstance(item, Record):
                    good.append(item)
                else:
                    bad.append(item)
                if index % _SLICE == _SLICE - 1:
                    await asyncio.sleep(0)
        except BodyError as error:
            raise ProblemError(Code.NOT_JSON, str(error)) from error
        if bad:
            self._metrics.records.labels("refused").inc(len(bad))
            raise ProblemError(Code.BAD_RECORDS, f"{len(bad)} of {len(bad) + len(good)} records are bad", bad=bad)
        if not good:
            raise ProblemError(Code.EMPTY, "push at least one cart")
        return good

    def _times(self, count: int) -> int:
        """Return the first of `count` times in microseconds, all later than any that was given out."""
        now = self._clock.now()
        first = max(int(now.timestamp()) * 1_000_000 + now.microsecond, self._accepted_at + 1)
        self._accepted_at = first + count - 1
        return first

    @property
    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def request_digest(key: str, index: int, text: str | None) -> str:
    """Return what a record of a request is known by, on whatever replica it is pushed again.

    The text is part of it: the same key with another body on another replica must not make a change disappear.
    """
    return digest(f"{key}\0{index}\0{text or ''}".encode())


def _parsed(incoming: Incoming) -> Iterator[Record | BadRecord]:
    return ndjson(incoming.body) if incoming.kind == "ndjson" else document(incoming.body)


def _unavailable(settings: PushSettings) -> ProblemError:
    return ProblemError(
        Code.UNAVAILABLE,
        "some records may have been published; push all again, with the same Idempotency-Key if there was one",
        retry_after=settings.retry_after_seconds,
    )
