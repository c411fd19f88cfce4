"""Progress callbacks, the progress bar, and the request to stop. A stage may call all of them for every image."""

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from tqdm import tqdm

from pipeline.errors import Stopped
from pipeline.text import to_plain_line

LONGEST_NOTE, LONGEST_LINE = 200, 2000  # characters that are shown of a note on progress, and of a line


class Progress(Protocol):
    """`progress(done, total, note)`: `done` of `total` units are finished; `total` 0 means not known yet."""

    def __call__(self, done: int, total: int, note: str = "") -> None: ...


class ShouldStop(Protocol):
    """`should_stop()` is true once SIGINT or SIGTERM came: save what there is and raise `Stopped`."""

    def __call__(self) -> bool: ...


@dataclass(frozen=True)
class TellingProgress:
    """A `Progress` that also takes lines: progress may be shown now and then, but a line is always shown."""

    show: Progress
    tell: Callable[[str], None]

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Show progress."""
        self.show(done, total, note)


def tell(progress: Progress, line: str) -> None:
    """Give whoever watches `progress` one line that must not be lost, such as an alarm, if `progress` takes lines."""
    if isinstance(progress, TellingProgress):
        progress.tell(line)


def silent(done: int, total: int, note: str = "") -> None:
    """A `Progress` for callers that do not watch."""


def never() -> bool:
    """A `ShouldStop` for callers that cannot be stopped."""
    return False


class ProgressBar:
    """Progress as a bar on standard error, for a person who watches. It is drawn at most ten times a second."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: tqdm | None = None

    def draw(self, done: int, total: int, note: str = "") -> None:
        """Show that `done` of `total` is finished; `total` 0 means not known yet."""
        if self._bar is None:
            shown = {"desc": f"{self._title:<10}", "dynamic_ncols": True, "leave": False, "file": sys.stderr}
            self._bar = _bar_for_here()(total=total or None, initial=done, **shown)
        self._bar.total = total or None
        self._bar.set_postfix_str(to_plain_line(note, LONGEST_NOTE), refresh=False)
        self._bar.update(done - self._bar.n)

    def tell(self, line: str) -> None:
        """Print `line` above the bar."""
        tqdm.write(to_plain_line(line, LONGEST_LINE), file=sys.stderr)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.total = self._bar.n  # a notebook's widget would stay, in red, if it were not full
            self._bar.close()
            self._bar = None


def in_notebook() -> bool:
    """Whether this runs in the kernel of a notebook; IPython is not imported to find out."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def _bar_for_here() -> type[tqdm]:
    """tqdm's bar for a terminal or, in a notebook, its widget if the notebook has widgets."""
    if not in_notebook():
        return tqdm
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of missing widgets: the bar is then one of text
        from tqdm.auto import tqdm as automatic
    return automatic


def is_watched() -> bool:
    """Whether standard error is a terminal or a notebook, where somebody may wait."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


@contextmanager
def shown_if_watched(title: str) -> Iterator[Progress]:
    """A `Progress` that draws a bar and prints lines if somebody watches, and is silent if not."""
    if not is_watched():
        yield silent
        return
    bar = ProgressBar(title)
    try:
        yield TellingProgress(bar.draw, bar.tell)
    finally:
        bar.close()


def with_time_left(progress: Progress, seconds: float) -> Progress:
    """`progress`, whose notes also say how much of the `seconds` from now is left; 0 seconds: no limit, the same."""
    if not seconds:
        return progress
    deadline = time.monotonic() + seconds

    def show(done: int, total: int, note: str = "") -> None:
        left = max(0, round(deadline - time.monotonic()))
        progress(done, total, f"{left // 60}:{left % 60:02d} left, {note}")

    return TellingProgress(show, lambda line: tell(progress, line))


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

    def report(self, done: int, total: int, note: str = "") -> None:
        """`done` of `total` pieces are finished; `note` says what they are, such as "pictures drawn"."""
        self.progress(done, total, note)
        self._stop_if_asked(f"{done} of {total} {note}")

    def _stop_if_asked(self, where: str) -> None:
        if self.should_stop():
            raise Stopped(f"stopped at {where}; the next run makes this stage from the beginning")
