"""How a stage talks to the outside while it works. Both calls are cheap; a stage may call them for every image."""

from typing import Protocol


class Progress(Protocol):
    """`progress(done, total, note)`: `done` of `total` units are finished; `total` 0 means not known yet."""

    def __call__(self, done: int, total: int, note: str = "") -> None: ...


class ShouldStop(Protocol):
    """`should_stop()` is true once SIGINT or SIGTERM came: save what there is and raise `Stopped`."""

    def __call__(self) -> bool: ...


def silent(done: int, total: int, note: str = "") -> None:
    """A `Progress` for callers that do not watch."""


def never() -> bool:
    """A `ShouldStop` for callers that cannot be stopped."""
    return False
