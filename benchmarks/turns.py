"""How long a step takes: the median over several turns of as many steps as fill a turn."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

WARM_UP = 8  # steps after the first two: plans that come up now and then, memory that is handed out
TURNS = 5


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds a step: the median over the turns, and the fastest and slowest turn."""

    median: float
    fastest: float
    slowest: float


def time_turns(take: Callable[[int], None], *, seconds: float, turns: int = TURNS) -> Timing:
    """Time `take(n)`, which takes n steps and returns when the device has done them, in turns of some `seconds`."""
    one = seconds_of(take, 1)
    if one < seconds:  # else the device is slow, and what comes up late is little beside a step
        one = min(one, seconds_of(take, WARM_UP) / WARM_UP)
    steps = max(1, round(seconds / one))
    found = [seconds_of(take, steps) / steps for _ in range(turns)]
    return Timing(median=statistics.median(found), fastest=min(found), slowest=max(found))


def seconds_of(take: Callable[[int], None], steps: int) -> float:
    """How long so many steps take."""
    begun = time.perf_counter()
    take(steps)
    return time.perf_counter() - begun
