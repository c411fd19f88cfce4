"""Telling how far the work is, and hearing the request to stop."""

from pipeline.callbacks import Progress, ShouldStop
from pipeline.errors import Stopped


class Watch:
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
