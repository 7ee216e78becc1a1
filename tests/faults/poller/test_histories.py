"""Random histories of several processes in memory, with every call held, failed, doubled or late as a seed decides."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import pytest

from carts_poller import history, store
from support.poller_truth import Rule, findings
from unit.poller.world import LEASE_SECONDS, CrashError

from .stage import ACTOR, Actor, Inline, Stage, Verdict, some_cart

_STEPS = 250
_CARTS = 6
#: What becomes of a call: nearly always nothing special.
_VERDICTS: tuple[tuple[Verdict, int], ...] = (("go", 90), ("twice", 3), ("fail", 3), ("lost", 2), ("late", 2))


class Play:
    """One history."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.stage = Stage(self.rng)
        self.stage.etags = self.rng.random() < 0.3
        self.pushing = self.rng.random() < 0.6
        if self.pushing:
            # Whether an answer is doubted depends on which pushes were taken in before, which the judge can't know.
            self.stage.rule = Rule(max_missing_ratio=1)
        self.names = iter(f"p{number}" for number in range(10_000))
        self.actors: list[Actor] = []
        self.tasks: set[asyncio.Task[Any]] = set()
        self.bugs: list[BaseException] = []

    async def run(self) -> Stage:
        """Play it to its end, in which all is quiet and everything is told."""
        for number in range(_CARTS):
            self.stage.shop[number] = some_cart(self.rng, number)
        self.actors = [self.stage.actor(next(self.names)) for _ in range(2)]
        steps: list[tuple[Callable[[], None], int]] = [
            (self.resume, 60),
            (self.begin, 20),
            (self.change, 12),
            (self.wait, 4),
            (self.freeze, 1),
            (self.thaw, 2),
            (self.kill, 1),
            (self.land, 1),
        ]
        if self.pushing:
            steps.append((self.push, 6))
        for _ in range(_STEPS):
            [step] = self.rng.choices([one for one, _ in steps], [weight for _, weight in steps])
            step()
            for _ in range(8):
                await asyncio.sleep(0)
        await self.end()
        return self.stage

    def resume(self) -> None:
        """Take up one call that waits."""
        ready = [one for one in self.stage.waiting if one.actor.alive and not one.actor.frozen]
        if ready:
            one = self.rng.choice(ready)
            self.stage.waiting.remove(one)
            [verdict] = self.rng.choices([name for name, _ in _VERDICTS], [weight for _, weight in _VERDICTS])
            one.future.set_result(verdict)

    def begin(self) -> None:
        """Let a process begin something that it is not at already."""
        stage = self.stage
        actor = self.rng.choice(self.actors)
        what = self.rng.choice(["turn", "turn", "turn", "renew", "pushes", "pushes", "release"])
        if actor.frozen or what in actor.busy or (what == "release" and (actor.busy or self.rng.random() < 0.8)):
            return
        acts: dict[str, Callable[[Actor], Coroutine[Any, Any, Any]]] = {
            "turn": stage.turn,
            "renew": stage.renew,
            "pushes": stage.take_pushes,
            "release": stage.release,
        }
        if what == "pushes" and not actor.loop.history.is_open:
            return
        actor.busy.add(what)
        task = asyncio.create_task(self.act(actor, what, acts[what]))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def act(self, actor: Actor, what: str, how: Callable[[Actor], Coroutine[Any, Any, Any]]) -> None:
        ACTOR.set(actor)
        try:
            await how(actor)
        except CrashError:
            return
        except Exception as error:  # noqa: BLE001 - told at the end
            self.bugs.append(error)
        finally:
            actor.busy.discard(what)
        if not actor.alive:
            self.replace(actor)

    def change(self) -> None:
        """Change the shop."""
        number = self.rng.randrange(_CARTS)
        if self.rng.random() < 0.25:
            self.stage.shop.pop(number, None)
        else:
            self.stage.shop[number] = some_cart(self.rng, number)
        strange = self.rng.random()
        self.stage.extra = (
            [{"id": number, "userId": None}]
            if strange < 0.05
            else [some_cart(self.rng, number)]
            if strange < 0.1
            else [{"id": "none"}]
            if strange < 0.13
            else []
        )

    def push(self) -> None:
        """Push a cart as it is in the shop, or as it is not."""
        number = self.rng.randrange(_CARTS)
        what = self.stage.shop.get(number) if self.rng.random() < 0.6 else some_cart(self.rng, number)
        request = f"{self.rng.randrange(8):016x}" if self.rng.random() < 0.2 else None
        self.stage.push(number, what, request and f"{len(self.stage.pushed):08x}{request[8:]}")
        if request and self.rng.random() < 0.5:
            self.stage.push(number, what, f"{len(self.stage.pushed) - 1:08x}{request[8:]}")

    def wait(self) -> None:
        self.stage.seconds += self.rng.choice([0.1, 1, 5, 11, LEASE_SECONDS / 2, LEASE_SECONDS + 1])

    def freeze(self) -> None:
        self.rng.choice(self.actors).frozen = True

    def thaw(self) -> None:
        for actor in self.actors:
            actor.frozen = False

    def kill(self) -> None:
        """Kill a process; what it asked for may still be done, much later."""
        actor = self.rng.choice(self.actors)
        actor.alive = False
        self.stage.kills += 1
        self.replace(actor)

    def replace(self, actor: Actor) -> None:
        if actor in self.actors:
            self.actors[self.actors.index(actor)] = self.stage.actor(next(self.names))

    def land(self) -> None:
        """Let a call of a dead process, or one that was given up, be done now."""
        dead = [one for one in self.stage.waiting if not one.actor.alive]
        if dead and self.rng.random() < 0.7:
            one = self.rng.choice(dead)
            self.stage.waiting.remove(one)
            one.future.set_result("land")
        elif self.stage.ghosts:
            try:
                self.stage.ghosts.pop(self.rng.randrange(len(self.stage.ghosts)))()
            except Exception:  # noqa: BLE001 - nobody is there to be told
                return

    async def end(self) -> None:
        """Kill all, then let one process poll what the shop shows now, until it is all told."""
        stage = self.stage
        stage.calm, stage.extra = True, []
        for actor in self.actors:
            actor.alive = False
        stage.seconds += LEASE_SECONDS + 1
        last = stage.actor("last")
        ACTOR.set(last)
        while stage.queue.messages or not last.loop.history.is_open:
            stage.seconds += 11
            await stage.turn(last)
            await stage.take_pushes(last)
        for _ in range(4):
            assert await stage.turn(last)
        stage.over = True
        for task in (left := [*self.tasks]):
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def campaign(seeds: range, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    monkeypatch.setattr(history, "ThreadPoolExecutor", Inline)
    asyncio.get_running_loop().set_default_executor(Inline())
    told: Counter[str] = Counter()
    for seed in seeds:
        monkeypatch.setattr(store, "_MAX_SEGMENTS", seed % 5 + 1)
        play = Play(seed)
        stage = await play.run()
        found = findings(stage.answers, stage.pushed, stage.messages, saved=stage.bucket.saved, rule=stage.rule)
        assert not play.bugs, f"seed {seed}: {play.bugs!r}"
        assert not found, f"seed {seed}: " + "\n".join(found)
        told += Counter(
            histories=1,
            kills=stage.kills,
            answers=len(stage.answers),
            pushes=len(stage.pushed),
            messages=len(stage.messages),
            events=len(set(stage.messages)),
            bases=stage.bucket.compactions,
        )
        told += stage.counts
    print(f"histories: {dict(told)}")  # noqa: T201 - the numbers of a campaign
    return told


async def test_in_random_histories_every_change_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told = await campaign(range(60), monkeypatch)

    assert all(told[name] > 20 for name in ("kills", "answers", "pushes", "bases", "fail", "lost", "late", "twice"))


@pytest.mark.long
@pytest.mark.parametrize("part", range(10))
async def test_in_thousands_of_random_histories_every_change_is_told_once(
    part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await campaign(range(1000 + 500 * part, 1500 + 500 * part), monkeypatch)
