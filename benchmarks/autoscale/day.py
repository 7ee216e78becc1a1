"""The traffic of a day: a curve with noise, campaigns that come at once, and an outage of the sinks."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Spike:
    """Additional events: the rate grows to `height` a second within `ramp` seconds, stays for `hold`, and falls."""

    name: str
    start: float
    ramp: float
    hold: float
    height: float

    def rate(self, second: float) -> float:
        """Return the additional events a second."""
        into = second - self.start
        if not 0 <= into <= 2 * self.ramp + self.hold:
            return 0.0
        edge = min(into, 2 * self.ramp + self.hold - into)
        return self.height * min(1.0, edge / self.ramp if self.ramp else 1.0)


@dataclass(frozen=True, slots=True)
class Outage:
    """Nothing can be written for so long; Pub/Sub keeps everything."""

    start: float
    seconds: float

    def covers(self, second: float) -> bool:
        """Return whether the sinks are away."""
        return self.start <= second < self.start + self.seconds


@dataclass(frozen=True, slots=True)
class Day:
    """Events published in each step of `step` seconds, and when the sinks are away."""

    step: float
    arrivals: Sequence[float]
    outage: Outage


def hours(clock: float) -> float:
    """Return the seconds since midnight of a time such as 13.5, half past one."""
    return clock * 3600


SPIKES = (
    Spike("newsletter", hours(9), 60, 600, 150_000),
    Spike("flash sale", hours(13), 10, 1_200, 300_000),
    Spike("television", hours(19.5), 300, 1_800, 200_000),
    Spike("burst", hours(22), 5, 60, 400_000),
)
OUTAGE = Outage(hours(16), 1_200)


def usual(second: float) -> float:
    """Return the rate without campaigns: 5,000 events a second at 4 in the morning, 30,000 at 4 in the afternoon."""
    return 17_500 - 12_500 * math.cos((second - hours(4)) / DAY_SECONDS * 2 * math.pi)


def a_day(*, seed: int = 1, step: float = 5.0, spikes: Sequence[Spike] = SPIKES, outage: Outage = OUTAGE) -> Day:
    """Return the day. The same seed gives the same day; noise wanders within about a fifth of the usual rate."""
    chance = random.Random(seed)
    noise, arrivals = 0.0, []
    for number in range(int(DAY_SECONDS / step)):
        second = number * step
        noise = 0.99 * noise + chance.gauss(0, 0.01)
        rate = usual(second) * max(0.0, 1 + noise) + sum(spike.rate(second) for spike in spikes)
        arrivals.append(rate * step)
    return Day(step, arrivals, outage)
