"""What is logged again and again, once a minute: hostile clients should not fill the console or the disk."""

import logging
import time
from collections.abc import Callable
from typing import Any

EVERY = 60.0  # seconds between two lines of one kind
KINDS = 100  # that are remembered


class Seldom(logging.Filter):
    """Lets the first line of each kind through, and one a minute after it with the number of those between."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.clock = clock
        self._last: dict[tuple, float] = {}
        self._left_out: dict[tuple, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be shown."""
        kind, now = _kind(record), self.clock()
        if now - self._last.get(kind, -EVERY) < EVERY:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return False
        if len(self._last) >= KINDS:
            self._last.clear()
        self._last[kind] = now
        if left_out := self._left_out.pop(kind, 0):
            record.msg, record.args = f"{record.getMessage().rstrip()} (and {left_out} times since the last line)", None
        return True


def _kind(record: logging.LogRecord) -> tuple[Any, ...]:
    """Records are of one kind that were written at one place, of one fault."""
    error = record.exc_info[1] if record.exc_info else None
    trace = error.__traceback__ if error else None
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = (trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace else ()
    return (record.name, record.pathname, record.lineno, type(error), place)
