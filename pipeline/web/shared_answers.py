"""Answers that many clients ask for at the same time: each is made once, in one thread, and shared for a moment.

A hundred programs that poll the same jobs would otherwise occupy all threads, and the label page would wait for them.
"""

import asyncio
import json
import time
from collections.abc import Callable, Hashable
from typing import Any

from fastapi.concurrency import run_in_threadpool

SECONDS = 0.3  # for which an answer is shared
MAX_KEPT = 500  # answers


class SharedAnswers:
    """JSON answers by key. Only the event loop calls `get`; any thread may call `clear`."""

    def __init__(self) -> None:
        self._made: dict[Hashable, tuple[float, bytes]] = {}
        self._making: dict[Hashable, asyncio.Task[bytes]] = {}

    async def get(self, key: Hashable, make: Callable[[], Any]) -> bytes:
        """The JSON of what `make` returns, or returned a moment ago. Errors: those of `make`."""
        known = self._made.get(key)
        if known and time.monotonic() - known[0] < SECONDS:
            return known[1]
        place = (key, id(asyncio.get_running_loop()))
        task = self._making.get(place)
        if task is None:
            self._making[place] = task = asyncio.create_task(self._make(key, place, make))
        return await asyncio.shield(task)  # one client that leaves does not take the answer from the others

    async def _make(self, key: Hashable, place: Hashable, make: Callable[[], Any]) -> bytes:
        made, begun = self._made, time.monotonic()
        try:
            data = json.dumps(await run_in_threadpool(make)).encode()
        finally:
            self._making.pop(place, None)
        if len(made) >= MAX_KEPT:
            made.clear()
        made[key] = (begun, data)  # of a dict that `clear` has replaced meanwhile, nobody reads it
        return data

    def clear(self) -> None:
        """Forget all answers, because something changed."""
        self._made = {}
        self._making = {}
