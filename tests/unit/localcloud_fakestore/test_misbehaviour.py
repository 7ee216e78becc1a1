"""Rules fire as often, as long and where they were told to."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from localcloud.fakestore.misbehaviour import Misbehaviour, Misbehaviours


class StandingClock:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def rules(*given: Misbehaviour, clock: StandingClock | None = None) -> Misbehaviours:
    misbehaviours = Misbehaviours(clock or StandingClock(), seed=1)
    for rule in given:
        misbehaviours.add(rule)
    return misbehaviours


def kinds(misbehaviours: Misbehaviours, answers: int, path: str = "/carts") -> list[str | None]:
    decided = [misbehaviours.decide(path, "list") for _ in range(answers)]
    return [rule.kind if rule else None for rule in decided]


def test_a_count_spoils_only_the_next_answers() -> None:
    assert kinds(rules(Misbehaviour(kind="null", count=2)), 4) == ["null", "null", None, None]


def test_answers_can_pass_first() -> None:
    assert kinds(rules(Misbehaviour(kind="null", count=1, skip=2)), 4) == [None, None, "null", None]


def test_a_rule_without_limit_stays_until_it_is_taken_away() -> None:
    misbehaviours = rules(Misbehaviour(kind="null"))

    assert kinds(misbehaviours, 50) == ["null"] * 50
    misbehaviours.clear()
    assert kinds(misbehaviours, 2) == [None, None]


def test_a_rule_ends_with_its_seconds() -> None:
    clock = StandingClock()
    misbehaviours = rules(Misbehaviour(kind="null", seconds=5.0), clock=clock)

    clock.seconds = 4.9
    assert kinds(misbehaviours, 1) == ["null"]
    clock.seconds = 5.0
    assert kinds(misbehaviours, 1) == [None]
    assert misbehaviours.in_force() == []


def test_a_ratio_spoils_its_share_the_same_way_each_time() -> None:
    first = kinds(rules(Misbehaviour(kind="null", ratio=0.3)), 1000)

    assert first == kinds(rules(Misbehaviour(kind="null", ratio=0.3)), 1000)
    assert 250 < first.count("null") < 350


def test_routes_are_a_glob_over_the_path() -> None:
    misbehaviours = rules(Misbehaviour(kind="null", routes="/carts*"))

    assert kinds(misbehaviours, 1, "/products") == [None]
    assert kinds(misbehaviours, 1, "/carts/user/1") == ["null"]


def test_the_first_rule_that_fits_has_its_way_and_the_next_follows() -> None:
    misbehaviours = rules(
        Misbehaviour(kind="status", routes="/users"),
        Misbehaviour(kind="null", count=1),
        Misbehaviour(kind="empty_body", count=1),
    )

    assert kinds(misbehaviours, 3) == ["null", "empty_body", None]
    assert misbehaviours.served == {"null": 1, "empty_body": 1}


def test_kinds_about_lists_leave_other_answers_alone_and_wait_for_a_list() -> None:
    misbehaviours = rules(Misbehaviour(kind="duplicate_ids", count=1))

    assert misbehaviours.decide("/carts/1", "record") is None
    assert misbehaviours.decide("/products/categories", "other") is None
    assert kinds(misbehaviours, 2) == ["duplicate_ids", None]


def test_rules_in_force_tell_what_is_left_of_them() -> None:
    clock = StandingClock()
    misbehaviours = rules(Misbehaviour(kind="status", status=502, count=3, seconds=10.0, skip=1), clock=clock)
    kinds(misbehaviours, 2)
    clock.seconds = 4.0

    assert misbehaviours.in_force() == [{"kind": "status", "status": 502, "count": 2, "seconds": 6.0, "skip": 0}]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"kind": "explode"}, "kind"),
        ({"kind": "null", "count": 0}, "count"),
        ({"kind": "null", "count": "3"}, "count"),
        ({"kind": "null", "seconds": -1.0}, "seconds"),
        ({"kind": "null", "ratio": 1.5}, "ratio"),
        ({"kind": "null", "ratio": float("nan")}, "ratio"),
        ({"kind": "status", "status": 200}, "status"),
        ({"kind": "status", "retry_after": "1\r\nX: y"}, "retry_after"),
        ({"kind": "null", "often": 3}, "often"),
        ({"kind": "null", "share": 0.5}, "null has no parameter share"),
        ({}, "kind"),
    ],
)
def test_a_rule_that_means_nothing_is_refused(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Misbehaviour.model_validate(fields)
