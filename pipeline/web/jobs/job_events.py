"""The changes of a job as server-sent events: one event for each change, and the stream ends with the job.

A stream holds no thread while nothing happens, and ends within half a second when the server shuts down.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.exceptions import HTTPException

from pipeline.store.digest import of_bytes
from pipeline.web.jobs.job_view import shown_job
from pipeline.web.studio import Studio

MOST = 32  # streams at the same time
LOOK_SECONDS = 0.5
PING_SECONDS = 15.0  # between two comments, so that proxies do not close a quiet stream


class Streams:
    """The streams of one server. Not thread-safe: only the event loop calls it."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.open = 0

    async def events(self, id: str, seen: str) -> AsyncIterator[str]:
        """The events of the job `id`; one whose id is `seen` was received before."""
        self.open += 1
        try:
            async for text in self._events(id, seen):
                yield text
        finally:
            self.open -= 1

    async def _events(self, id: str, seen: str) -> AsyncIterator[str]:
        quiet = 0.0
        while not self.studio.closing.is_set():
            try:
                shown = await self.shown(id)
            except HTTPException:  # the job was deleted
                return
            quiet += LOOK_SECONDS
            if (name := event_id(shown)) != seen:
                seen, quiet = name, 0.0
                yield f"id: {name}\nevent: job\ndata: {json.dumps(shown)}\n\n"
            elif quiet >= PING_SECONDS:
                quiet = 0.0
                yield ": ping\n\n"
            if is_over(shown):
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def shown(self, id: str) -> Any:
        """How the job `id` stands, as JSON has it; status 404 if there is none."""
        jobs = self.studio.jobs
        return json.loads(await self.studio.shared_answers.get(id, lambda: shown_job(jobs, jobs.find(id))))


def event_id(shown: dict[str, Any]) -> str:
    """The id of the event for a state of a job: the same state has the same id, also after a restart."""
    return of_bytes(json.dumps(shown, sort_keys=True).encode())[:16]


def is_over(shown: dict[str, Any]) -> bool:
    """Whether a job has ended, so that nothing more will happen."""
    return shown["state"] not in ("queued", "running")
