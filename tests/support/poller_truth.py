"""What the poller should have told, worked out from what it was shown, without any of its code. Pure.

The shop's answers and the pushes are what happened; the events are what was told. `findings` says where they differ:
a change that was lost, one that was told twice, one that nobody showed.

A poller that dies with an answer in its hands may lose that answer, as the next one shows the carts again. So only an
answer whose poll ended well (`done_at`) must be told, and any other may be.
"""

import json
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from dataplatform.models import event_id

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: What a cart that is not there means.
GONE = ""

type Deletes = Literal["must", "may", "never"]


@dataclass(slots=True)
class Shown:
    """One whole answer to one process. Times are microseconds since 1970.

    The poller looked at its clock between `after` and `asked_at`, and that is the time in the events. `done_at` is when
    its poll had ended well, None when nobody knows that it did. `invalid` are carts that can't be an event, `nameless`
    says that a record may be any cart.
    """

    process: str
    after: int
    asked_at: int
    carts: Mapping[int, str]
    invalid: frozenset[int] = frozenset()
    nameless: bool = False
    done_at: int | None = None


@dataclass(frozen=True, slots=True)
class Push:
    """A cart that was pushed, and confirmed to the client. `request` is the same for a request that was repeated."""

    cart_id: int
    meaning: str
    accepted_at: int
    request: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """When a shop is not believed that carts are gone."""

    max_missing_ratio: float = 0.5
    accept_after: int = 3


def meaning(cart: Any) -> str:
    """Return a text that is the same for two carts that mean the same; `GONE` for None."""
    if cart is None:
        return GONE
    plain = {name: _plain(value) for name, value in cart.items()}
    if isinstance(plain.get("products"), list):
        plain["products"] = sorted(plain["products"], key=lambda line: json.dumps(line, sort_keys=True))
    return json.dumps(plain, sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def shown(process: str, after: int, asked_at: int, records: Sequence[Any]) -> Shown:
    """Return what the records of an answer show, the last one of each cart."""
    carts: dict[int, str] = {}
    invalid = set[int]()
    nameless = False
    for record in records:
        number = record.get("id") if isinstance(record, dict) else None
        if type(number) is not int:
            nameless = True
            continue
        carts.pop(number, None)
        invalid.discard(number)
        if _is_cart(record):
            carts[number] = meaning(record)
        else:
            invalid.add(number)
    return Shown(process, after, asked_at, carts, frozenset(invalid), nameless)


def _is_cart(record: Mapping[str, Any]) -> bool:
    lines = record.get("products")
    return type(record.get("userId")) is int and isinstance(record.get("date"), str) and isinstance(lines, list)


@dataclass(frozen=True, slots=True)
class _Told:
    version: int
    kind: str
    meaning: str
    at: int


@dataclass
class _Case:
    """The events of one epoch, and what became of each sighting."""

    answers: list[Shown]
    pushes: list[Push]
    histories: dict[int, list[_Told]]
    rule: Rule
    found: list[str] = field(default_factory=list)
    #: Which process an event comes from, "" for a push, by cart and version.
    origin: dict[tuple[int, int], str] = field(default_factory=dict)
    #: When an event was surely told, where that is known.
    told_by: dict[tuple[int, int], int] = field(default_factory=dict)

    def as_of(self, cart: int, at: int) -> str:
        """Return what the cart was told to be at a time."""
        told = self.histories.get(cart, [])
        place = bisect_right(told, at, key=lambda one: one.at)
        return told[place - 1].meaning if place else GONE

    def was(self, cart: int, at: int, what: str, process: str) -> bool:
        """Return whether the cart may have been told to be `what` when somebody looked who saw it like this at `at`.

        Then there was nothing to tell. What others saw before, pushes above all, may have been told only later.
        """
        told = self.histories.get(cart, [])
        for one in reversed(told[: bisect_right(told, at, key=lambda one: one.at)]):
            if one.meaning == what:
                return True
            if self.origin.get((cart, one.version)) == process or self.told_by.get((cart, one.version), at) < at:
                return False
        return what == GONE

    def told_by_others(self, cart: int, after: int, until: int | None, process: str) -> bool:
        """Return whether something was told of the cart, and seen after a time, that does not come from `process`."""
        return any(
            one.at > after and (until is None or one.at <= until) and self.origin.get((cart, one.version)) != process
            for one in self.histories.get(cart, [])
        )


def findings(
    answers: Sequence[Shown],
    pushes: Sequence[Push],
    messages: Iterable[bytes],
    *,
    saved: Iterable[bytes] = (),
    rule: Rule | None = None,
) -> list[str]:
    """Return a sentence for each way in which the messages are not the changes that were shown, none when they are.

    All are of one epoch. `saved` are events that were seen in the poller's journal at any time: they must be told.
    """
    found: list[str] = []
    bodies = _distinct(messages, found)
    ids = {json.loads(data)["event_id"] for data in saved}
    found += [f"saved and never told: {one}" for one in sorted(ids - bodies.keys())]
    histories = _histories(bodies.values(), found)
    case = _Case(sorted(answers, key=lambda one: one.asked_at), _first(pushes), histories, rule or Rule(), found)
    deletes = _deletes(case)
    _explain(case, deletes)
    _nothing_lost(case, deletes)
    return case.found


def _distinct(messages: Iterable[bytes], found: list[str]) -> dict[str, dict[str, Any]]:
    bodies: dict[str, dict[str, Any]] = {}
    texts: dict[str, bytes] = {}
    for data in messages:
        body = json.loads(data)
        name = body["event_id"]
        if texts.setdefault(name, data) != data:
            found.append(f"one id, two contents: cart {body['cart_id']} version {body['version']}")
        if name != event_id(body["source"], body["epoch"], body["cart_id"], body["version"]):
            found.append(f"a wrong id: cart {body['cart_id']} version {body['version']}")
        bodies[name] = body
    if len({body["epoch"] for body in bodies.values()}) > 1:
        found.append("more than one epoch")
    return bodies


def _histories(bodies: Iterable[Mapping[str, Any]], found: list[str]) -> dict[int, list[_Told]]:
    histories: defaultdict[int, list[_Told]] = defaultdict(list)
    for body in bodies:
        at = (datetime.fromisoformat(body["observed_at"]) - _EPOCH) // timedelta(microseconds=1)
        histories[body["cart_id"]].append(_Told(body["version"], body["event_type"], meaning(body["cart"]), at))
    for cart, told in histories.items():
        told.sort(key=lambda one: one.version)
        if [one.version for one in told] != list(range(1, len(told) + 1)):
            found.append(f"versions are not 1 to n: cart {cart} has {[one.version for one in told]}")
        before, at = GONE, 0
        for one in told:
            kind = "cart_deleted" if not one.meaning else "cart_updated" if before else "cart_created"
            if one.meaning == before:
                found.append(f"no change: cart {cart} version {one.version}")
            elif kind != one.kind:
                found.append(f"{one.kind} in place of {kind}: cart {cart} version {one.version}")
            if one.at < at:
                found.append(f"told in the wrong order: cart {cart} version {one.version}")
            before, at = one.meaning, one.at
    return dict(histories)


def _first(pushes: Sequence[Push]) -> list[Push]:
    """Return the pushes without repetitions."""
    known = set[str]()
    kept = []
    for push in sorted(pushes, key=lambda one: one.accepted_at):
        if push.request is None or push.request not in known:
            kept.append(push)
        if push.request is not None:
            known.add(push.request)
    return kept


def _deletes(case: _Case) -> list[Deletes]:
    """Return, for each answer, whether the carts that it misses are deleted."""
    decided: list[Deletes] = []
    last: dict[str, tuple[frozenset[int], int, bool]] = {}
    for answer in case.answers:
        # As of before this answer: what it led to itself was not known then.
        alive = {cart for cart in case.histories if case.as_of(cart, answer.after)}
        missing = frozenset(alive - set(answer.carts) - answer.invalid)
        unclear = _crossed(case, answer)
        if len(missing) <= case.rule.max_missing_ratio * len(alive):
            last.pop(answer.process, None)
            verdict: Deletes = "must"
        else:
            before, times, doubtful = last.get(answer.process, (frozenset(), 0, False))
            times = times + 1 if before == missing else 1
            unclear |= doubtful
            last[answer.process] = (missing, times, unclear)
            verdict = "must" if times >= case.rule.accept_after else "never"
        if unclear:
            verdict = "may"
        decided.append("never" if answer.nameless else verdict)
    return decided


def _crossed(case: _Case, answer: Shown) -> bool:
    """Return whether somebody else may have changed what was alive while the answer was judged."""
    others = [push.accepted_at for push in case.pushes]
    others += [other.asked_at for other in case.answers if other.process != answer.process]
    return any(answer.after < at and (answer.done_at is None or at <= answer.done_at) for at in others)


def _explain(case: _Case, deletes: Sequence[Deletes]) -> None:
    """Find, for each event, the answer or the push that it tells, each of which can be told once."""
    pushes = {(push.cart_id, push.accepted_at): push for push in case.pushes}
    used = Counter[tuple[int, str, int]]()
    for cart, told in case.histories.items():
        for one in told:
            push = pushes.get((cart, one.at))
            if push and push.meaning == one.meaning:
                case.origin[cart, one.version] = ""
                used[cart, "", one.at] += 1
                continue
            for answer, may in zip(case.answers, deletes, strict=True):
                if answer.after < one.at <= answer.asked_at and _shows(answer, may, cart, one.meaning):
                    case.origin[cart, one.version] = answer.process
                    if answer.done_at is not None:
                        case.told_by[cart, one.version] = answer.done_at
                    used[cart, answer.process, answer.asked_at] += 1
                    break
            else:
                case.found.append(f"invented: cart {cart} version {one.version} ({one.kind})")
    for (cart, process, _), times in used.items():
        if times > 1:
            case.found.append(f"told twice: cart {cart}, shown to {process or 'a push client'}")


def _shows(answer: Shown, deletes: Deletes, cart: int, what: str) -> bool:
    if what:
        return answer.carts.get(cart) == what
    return deletes != "never" and cart not in answer.carts and cart not in answer.invalid


def _nothing_lost(case: _Case, deletes: Sequence[Deletes]) -> None:
    for answer, may in zip(case.answers, deletes, strict=True):
        if answer.done_at is None:
            continue
        for cart in {*answer.carts, *case.histories}:
            what = answer.carts.get(cart, GONE)
            if cart in answer.invalid or (not what and may != "must"):
                continue
            # Who sees a cart later counts more: what another saw after this answer was asked for makes it stale.
            if not case.was(cart, answer.asked_at, what, answer.process) and not case.told_by_others(
                cart, answer.after, answer.done_at, answer.process
            ):
                case.found.append(f"lost: cart {cart} as {answer.process} was shown it at {answer.asked_at}")
    for push in case.pushes:
        if not case.was(push.cart_id, push.accepted_at, push.meaning, "") and not case.told_by_others(
            push.cart_id, push.accepted_at, None, ""
        ):
            case.found.append(f"lost: cart {push.cart_id} as it was pushed at {push.accepted_at}")
