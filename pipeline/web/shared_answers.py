"""Answers that many clients ask for at the same time: each is made once and shared for a moment.

A hundred programs that poll the same jobs or datasets would otherwise occupy all threads, and the label page would wait
for them. Who asks alone gets an answer that is made for them.
"""

import asyncio
import re
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

SECONDS = 0.3  # for which an answer that several asked for is shared
MAX_KEPT = 100  # answers
POLLED = re.compile(r"/api/v1/(jobs(/[^/]+)?|datasets(/[^/]+(/progress|/trainings|/runs)?)?)")
CHANGING = ("POST", "PUT", "PATCH", "DELETE")

Messages = list[dict[str, Any]]  # of ASGI: the start of a response and its body
Key = tuple[str, bytes]


@dataclass
class _Making:
    """An answer that is being made, and how many wait for it."""

    task: "asyncio.Task[Messages]"
    waiting: int = 0


class SharedAnswers:
    """ASGI middleware, used by the event loop alone. It comes after the checks of `security`, so that nobody gets an
    answer that they may not have."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self._made: dict[Key, tuple[float, Messages]] = {}
        self._making: dict[tuple[Key, int], _Making] = {}

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if scope["method"] in CHANGING:
            return await self.app(scope, receive, self._forgetting(send))
        if scope["method"] != "GET" or not POLLED.fullmatch(scope["path"]):
            return await self.app(scope, receive, send)
        for message in await self._get((scope["path"], scope["query_string"]), scope):
            await send(message)

    def _forgetting(self, send: Any) -> Any:
        """A `send` that forgets all answers before the response to a change begins."""

        async def sends(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self._made, self._making = {}, {}
            await send(message)

        return sends

    async def _get(self, key: Key, scope: dict[str, Any]) -> Messages:
        known = self._made.get(key)
        if known and time.monotonic() - known[0] < SECONDS:
            return known[1]
        place = key, id(asyncio.get_running_loop())
        making = self._making.get(place)
        if making is None:
            making = self._making[place] = _Making(asyncio.create_task(self._answer(scope)))
            making.task.add_done_callback(partial(_over, self._making, place, self._made))
        making.waiting += 1
        return await asyncio.shield(making.task)  # one client that leaves does not take the answer from the others

    async def _answer(self, scope: dict[str, Any]) -> Messages:
        messages: Messages = []

        async def keep(message: dict[str, Any]) -> None:
            messages.append(message)

        await self.app(scope, _nothing, keep)
        return messages


def _over(
    all: dict[tuple[Key, int], _Making],
    place: tuple[Key, int],
    kept: dict[Key, tuple[float, Messages]],
    _: "asyncio.Task[Messages]",
) -> None:
    """An answer is made: keep it if several wait for it. What a change has forgotten meanwhile, nobody reads."""
    making = all.pop(place, None)
    if making is None or making.waiting < 2 or making.task.cancelled() or making.task.exception():
        return
    if len(kept) >= MAX_KEPT:
        kept.clear()
    kept[place[0]] = time.monotonic(), making.task.result()


async def _nothing() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}
