"""Ctrl-C, and a notebook's stop button, heard between steps: in the middle of one they would leave it half done."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pipeline.callbacks import ShouldStop, never


@contextmanager
def hearing_interrupts() -> Iterator[ShouldStop]:
    """Whether one came meanwhile. A second one ends all at once; outside the main thread none is heard."""
    if threading.current_thread() is not threading.main_thread():
        yield never
        return
    heard, before = threading.Event(), signal.getsignal(signal.SIGINT) or signal.SIG_DFL

    def hear(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        heard.set()

    signal.signal(signal.SIGINT, hear)
    try:
        yield heard.is_set
    finally:
        signal.signal(signal.SIGINT, before)
