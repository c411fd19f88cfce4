"""Ask another machine for something within a deadline, whatever that machine does, and say in one line what came of it.

Timeouts of a connection are not enough: a server may send its answer byte by byte.
"""

import threading
from collections.abc import Callable

from tasks.error_text import one_line


def line_within(seconds: float, work: Callable[[], str]) -> str:
    """What `work` returns; `failed: …` if it raises an error, or has not ended after so many seconds. Then it is left
    behind in a thread, which ends with this process at the latest.
    """
    lines: list[str] = []

    def run() -> None:
        try:
            lines.append(work())
        except Exception as error:  # of any library: news that fail must not fail the night
            lines.append(f"failed: {one_line(error)}")

    thread = threading.Thread(target=run, daemon=True, name="news")
    thread.start()
    thread.join(seconds)
    return lines[0] if lines else f"failed: no answer within {seconds:.0f} s"
