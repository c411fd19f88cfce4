"""Work for the workers of tests, in a module that they can import."""

import os
import signal
import time
from pathlib import Path

from pipeline.errors import Stopped, UserError

STATISTICS = ("distributed.worker.profile.enabled", "distributed.admin.tick.interval")


def dask_settings() -> dict[str, object]:
    """How this process of a cluster gathers statistics of itself."""
    import dask

    return {name: dask.config.get(name) for name in STATISTICS}


def square(number: int) -> int:
    """Compute something."""
    return number * number


def count(calls: Path) -> None:
    """Note a call in the file."""
    with calls.open("a") as file:
        file.write("1")


def refuse(calls: Path) -> int:
    """Fail as for a mistake of the user."""
    count(calls)
    raise UserError(f"{calls} is wrong: give another one")


def break_down(number: int) -> int:
    """Fail as for a defect."""
    raise ValueError(f"a defect at {number}")


def die_once(marker: Path) -> str:
    """Kill the worker the first time."""
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def die(calls: Path) -> None:
    """Kill every worker."""
    count(calls)
    os.kill(os.getpid(), signal.SIGKILL)


def wait_long(marker: Path) -> None:
    """Say that it works, and take some seconds."""
    marker.touch()
    time.sleep(3)


def wait_for(marker: Path) -> str:
    """Say that it works, and work until the file with the suffix .go is there."""
    marker.touch()
    while not marker.with_suffix(".go").exists():
        time.sleep(0.05)
    return "done"


def train(order: Path, notify, should_stop) -> str:
    """Tell what happens, until it is to stop."""
    notify(("line", "begins"))
    for step in range(600):
        notify(("progress", step, 600, "steps"))
        (order / "begun").touch()
        if should_stop():
            raise Stopped(f"stopped with a checkpoint at step {step > 0}")
        time.sleep(0.1)
    return "trained"


def train_quickly(order: str, notify, should_stop) -> str:
    """Tell what happens, and end."""
    notify(("progress", 1, 1, "steps"))
    return f"trained on {order}"


def train_after_a_loss(marker: Path, notify, should_stop) -> str:
    """Kill the worker the first time."""
    notify(("line", "begins"))
    return die_once(marker)
