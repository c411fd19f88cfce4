"""Draws the tiles of entries in a thread, one after another: each needs a generator, so a process of its own."""

import logging
import queue
import threading
from collections.abc import Callable
from typing import Protocol

import numpy as np

from pipeline.errors import UserError
from pipeline.text import to_plain_line

LOG = logging.getLogger("uvicorn.error")
LONGEST_LINE = 300


class Draw(Protocol):
    """Draws samples of a training: `count` arrays (H, W, C) uint8. Raises `UserError` if it cannot."""

    def __call__(self, *, dataset: str, key: str, seed: int, count: int) -> list[np.ndarray]: ...


Job = tuple[str, str]  # a race and an entry of it


class TilePainter:
    """A queue of entries whose tiles are to be drawn, and a thread that `paint`s them. It starts with the first one."""

    def __init__(self, paint: Callable[[str, str], None], failed: Callable[[str, str, str], None]) -> None:
        self._paint, self._failed = paint, failed
        self._waiting: queue.Queue[Job] = queue.Queue()
        self._known: set[Job] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def request(self, race_id: str, entry_id: str) -> None:
        """Draw the tile of an entry as soon as those before it are drawn, unless it is waiting already."""
        with self._lock:
            if (race_id, entry_id) in self._known:
                return
            self._known.add((race_id, entry_id))
            self._waiting.put((race_id, entry_id))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True, name="tiles")
                self._thread.start()

    def wait(self) -> None:
        """Return when nothing is left to draw."""
        self._waiting.join()

    def _work(self) -> None:
        while True:
            job = self._waiting.get()
            try:
                self._try(*job)
            finally:
                with self._lock:
                    self._known.discard(job)
                self._waiting.task_done()

    def _try(self, race_id: str, entry_id: str) -> None:
        """Paint; a failure is told to whoever looks at the race, and the thread goes on."""
        try:
            try:
                self._paint(race_id, entry_id)
            except (UserError, OSError) as error:
                self._failed(race_id, entry_id, to_plain_line(str(error), LONGEST_LINE))
            except Exception as error:
                LOG.exception("a tile could not be drawn")
                self._failed(race_id, entry_id, f"{type(error).__name__}; the server's console shows details")
        except Exception:  # not even the failure could be written, as on a full disk
            LOG.exception("a tile could not be drawn")
