"""Looking at dead letters, publishing them again, discarding them: one bounded piece after the other."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from carts_consumer.decode import Invalid
from carts_consumer.quarantine import Quarantine, quarantine_id
from dataplatform import redrive
from dataplatform.clock import Clock
from dataplatform.errors import InvalidDataError
from eydp.redrive.deadletters import DeadLetters
from eydp.redrive.ledger import Action, Ledger
from eydp.redrive.publisher import Outgoing, Publisher
from eydp.redrive.verdict import verdict

STAGE = "dead_letter"
REASON = "dead_letter"

_SOURCE = "CloudPubSubDeadLetterSource"


@dataclass(frozen=True, slots=True)
class Letter:
    """What a list shows of a dead letter. `first_published_at` is Pub/Sub's text, empty when it gave none."""

    id: str
    dead_at: datetime
    first_published_at: str
    deliveries: str
    subscription: str
    event_type: str
    bytes: int

    @classmethod
    def of(cls, received: Any) -> "Letter":
        """Return the letter of a protobuf `ReceivedMessage`."""
        message = received.message
        attributes: Mapping[str, str] = message.attributes
        return cls(
            id=message.message_id,
            dead_at=message.publish_time.ToDatetime(UTC),
            first_published_at=attributes.get(f"{_SOURCE}TopicPublishTime", ""),
            deliveries=attributes.get(f"{_SOURCE}DeliveryCount", ""),
            subscription=attributes.get(f"{_SOURCE}Subscription", ""),
            event_type=attributes.get("event_type", ""),
            bytes=len(message.data),
        )


@dataclass(slots=True)
class Report:
    """What a run did, or would do."""

    done: int = 0
    now: dict[str, int] = field(default_factory=dict)
    """What a consumer of this version says of the letters published: `valid`, or the reason."""
    unpublishable: list[str] = field(default_factory=list)
    complete: bool = True
    """Whether nothing more came; False when the walk stopped at a limit."""


async def listed(letters: DeadLetters, limit: int) -> tuple[list[Letter], bool]:
    """Return the first letters, the oldest first, and whether these are all that came."""
    found: list[Letter] = []
    async for piece in letters.walk():
        found += [Letter.of(received) for received in piece]
        if len(found) > limit:
            break
    found.sort(key=lambda letter: (letter.dead_at, letter.id))
    return found[:limit], len(found) <= limit and letters.complete


async def one(letters: DeadLetters, letter_id: str) -> Any:
    """Return one letter as a protobuf `ReceivedMessage`.

    Raises:
        InvalidDataError: none of this id came.
    """
    async for piece in chosen(letters, {letter_id}, 1):
        return piece[0]
    raise _missing({letter_id})


async def chosen(letters: DeadLetters, ids: Collection[str], limit: int) -> AsyncIterator[Sequence[Any]]:
    """Yield the letters of these ids, or all when there are none, at most `limit`."""
    wanted = set(ids)
    left = limit
    async for piece in letters.walk():
        found = [received for received in piece if not ids or received.message.message_id in wanted][:left]
        wanted.difference_update(received.message.message_id for received in found)
        left -= len(found)
        if found:
            yield found
        if not left or (ids and not wanted):
            return


async def publish_again(
    letters: DeadLetters, ids: Collection[str], limit: int, publisher: Publisher | None, clock: Clock
) -> Report:
    """Publish letters with their mark, then acknowledge them; killed in between, a copy follows under the same mark.

    Without a publisher only look.

    Raises:
        InvalidDataError: no letter of an id came; those of the others are done.
    """
    report, missing = Report(), set(ids)
    async for piece in chosen(letters, ids, limit):
        missing.difference_update(received.message.message_id for received in piece)
        fit = []
        for received in piece:
            message = outgoing(received)
            if redrive.publishable(message.attributes, message.data):
                fit.append((received, message))
                said = verdict(message.data, message.attributes, clock.now())
                report.now[said.reason] = report.now.get(said.reason, 0) + 1
            else:
                report.unpublishable.append(received.message.message_id)
        if fit and publisher is not None:
            await publisher.publish([message for _, message in fit])
            await letters.acknowledge([received for received, _ in fit])
        report.done += len(fit)
    report.complete = letters.complete and (bool(ids) or report.done + len(report.unpublishable) < limit)
    if missing and limit >= len(ids):
        raise _missing(missing)
    return report


def outgoing(received: Any) -> Outgoing:
    """Return the message that publishes a dead letter again."""
    message = received.message
    attributes = redrive.marked_dead_letter(message.attributes, message.message_id)
    return Outgoing(message.data, attributes, message.ordering_key)


@dataclass(frozen=True, slots=True)
class Discard:
    """Moves letters into quarantine, closed there, and acknowledges them: nothing is lost."""

    letters: DeadLetters
    quarantine: Quarantine
    ledger: Ledger
    clock: Clock
    note: str

    async def run(self, ids: Collection[str], limit: int) -> Report:
        """Discard letters. Killed at any point and run again, each is one entry of quarantine.

        Raises:
            InvalidDataError: no letter of an id came; those of the others are done.
        """
        report, missing = Report(), set(ids)
        async for piece in chosen(self.letters, ids, limit):
            missing.difference_update(received.message.message_id for received in piece)
            items = [Invalid(received, REASON, _given_up(Letter.of(received))) for received in piece]
            await self.quarantine.put(items, self.clock.now(), stage=STAGE)
            attempts = [redrive.attempt(received.message.attributes) for received in piece]
            actions = [Action(quarantine_id(item), attempt) for item, attempt in zip(items, attempts, strict=True)]
            await self.ledger.append("discarded", actions, note=self.note)
            await self.letters.acknowledge(piece)
            report.done += len(piece)
        report.complete = self.letters.complete and (bool(ids) or report.done < limit)
        if missing and limit >= len(ids):
            raise _missing(missing)
        return report


def _given_up(letter: Letter) -> str:
    if not letter.deliveries:
        return "a dead letter that a person discarded"
    return f"given up by {letter.subscription} after {letter.deliveries} deliveries, and discarded by a person"


def _missing(ids: Collection[str]) -> InvalidDataError:
    return InvalidDataError(f"no dead letter {', '.join(sorted(ids))} came: `eydp dlq list` shows those there are")
