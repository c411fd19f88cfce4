"""Progress on the console: a bar where a person watches, plain lines in a log."""

import sys
import time
from collections.abc import Callable

from tqdm import tqdm

EVERY = 10.0  # seconds between plain lines: a nightly log stays short, a stalled stage still shows


class Console:
    """The progress of one stage. Give `update` as the stage's `progress`; use as a context manager."""

    def __init__(self, stage: str, tell: Callable[[str, float | None], None] = lambda note, percent: None) -> None:
        self.stage = stage
        self.tell = tell  # the scheduler's page
        self.bar: tqdm | None = None
        self.watched = sys.stderr.isatty()
        self.last = time.monotonic()

    def __enter__(self) -> "Console":
        if not self.watched:
            print(f"{self.stage:<11}starts", file=sys.stderr, flush=True)
        return self

    def __exit__(self, *exception: object) -> None:
        if self.bar is not None:
            self.bar.leave = False
            self.bar.close()

    def update(self, done: int, total: int, note: str = "") -> None:
        """Show that `done` of `total` is finished; `total` 0 means not known yet."""
        if self.watched:
            self._draw(done, total, note)
        if (now := time.monotonic()) - self.last >= EVERY:
            self.last = now
            self.tell(note, 100 * done / total if total else None)
            if not self.watched:
                part = f"{done} of {total} ({100 * done // total} %)" if total else str(done)
                print(f"{self.stage:<11}{part} {note}".rstrip(), file=sys.stderr, flush=True)

    def _draw(self, done: int, total: int, note: str) -> None:
        if self.bar is None:
            self.bar = tqdm(desc=f"{self.stage:<10}", dynamic_ncols=True, leave=False, file=sys.stderr)
        self.bar.total = total or None
        self.bar.set_postfix_str(note, refresh=False)
        self.bar.update(done - self.bar.n)
