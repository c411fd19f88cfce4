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
    """Reports progress and raises `Stopped` if the run was asked to stop, for a stage that has nothing to save then.

    Use it in one of two ways: `report` after each piece of work, or, if it is known that there are `total` pieces, call
    the object before each of them. The crawl, the normalising and the training of a GAN do not use it: they let their
    threads, processes or checkpoint come to an end before they raise `Stopped`.
    """

    def __init__(self, progress: Progress, should_stop: ShouldStop, total: int = 0) -> None:
        self.progress, self.should_stop, self.total = progress, should_stop, total
        self.done = 0

    def __call__(self, note: str) -> None:
        """Begin the next piece of work."""
        self.progress(self.done, self.total, note)
        self._stop_if_asked(f"{self.done} of {self.total}, {note}")
        self.done += 1

    def report(self, done: int, total: int, note: str) -> None:
        """`done` of `total` pieces are finished; `note` says what they are, such as "pictures drawn"."""
        self.progress(done, total, note)
        self._stop_if_asked(f"{done} of {total} {note}")

    def _stop_if_asked(self, where: str) -> None:
        if self.should_stop():
            raise Stopped(f"stopped at {where}; the next run makes this stage from the beginning")
