"""SIGINT and SIGTERM become a request to stop that stages poll: they save what is done, then the run ends."""

import multiprocessing
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_asked = threading.Event()


def should_stop() -> bool:
    """Whether SIGINT or SIGTERM came while `listening`."""
    return _asked.is_set()


@contextmanager
def listening() -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into a request to stop. A second signal ends the process at once."""
    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in SIGNALS}
    if not main or _ask in before.values():  # Python sets handlers in the main thread only, once is enough
        yield
        return
    for number in SIGNALS:
        signal.signal(number, _ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ask(number: int, frame: object) -> None:
    """Keep the request, pass it on to the processes that Luigi forked, and restore the default for the next signal."""
    _asked.set()
    for child in multiprocessing.active_children():
        child.terminate()
    # A forked worker gets the signal of the terminal and that of its parent: the second must not lose the checkpoint
    forked = multiprocessing.parent_process() is not None
    signal.signal(signal.SIGINT, signal.SIG_IGN if forked else signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if forked else signal.SIG_DFL)
