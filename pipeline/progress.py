"""Progress callbacks and the request to stop. Both calls are cheap: a stage may call them for every image."""

from typing import Protocol

from pipeline.errors import Stopped


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


class StageProgress:
    """Called before every piece of work, `total` times in all."""

    def __init__(self, progress: Progress, should_stop: ShouldStop, total: int) -> None:
        self.progress, self.should_stop, self.total = progress, should_stop, total
        self.done = 0

    def __call__(self, note: str) -> None:
        """Count one more piece; raise `Stopped` if the run was asked to stop."""
        if self.should_stop():
            raise Stopped(note)
        self.progress(self.done, self.total, note)
        self.done += 1
