"""Measure the duration of a training step: the median over several turns of many steps."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

WARM_UP = 8  # steps: rare plans are compiled and memory is allocated
TURNS = 5


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds for one step: the median over the turns, and the fastest and slowest turn."""

    median: float
    fastest: float
    slowest: float


def time_turns(take: Callable[[int], None], *, seconds: float, turns: int = TURNS) -> Timing:
    """Time `take(n)`, which takes n steps and returns when the device has finished, in turns of about `seconds`."""
    one = seconds_of(take, 1)
    if one < seconds:  # else the device is slow, and warm-up is short compared with a step
        one = min(one, seconds_of(take, WARM_UP) / WARM_UP)
    steps = max(1, round(seconds / one))
    found = [seconds_of(take, steps) / steps for _ in range(turns)]
    return Timing(median=statistics.median(found), fastest=min(found), slowest=max(found))


def seconds_of(take: Callable[[int], None], steps: int) -> float:
    """Duration of that many steps in seconds."""
    begun = time.perf_counter()
    take(steps)
    return time.perf_counter() - begun
