"""Server-sent events: pages and programs are told what changed, without a thread or a process for each of them.

All streams of one topic, a dataset or a job for example, share one reader: it reads the topic's text about once a
second in the thread pool, and streams send it when it differs. Between two texts a stream is a coroutine that waits.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, StreamingResponse

from pipeline.store.digest import of_bytes

LOG = logging.getLogger("uvicorn.error")
MOST_STREAMS = 64  # at once; each is a connection, and a browser's page closes its own when it is hidden
INTERVAL = 1.0  # seconds between two readings of a topic
PING = 15.0  # seconds after which a silent stream sends a comment: proxies close connections that say nothing
RETRY = b"retry: 3000\n\n"  # ms after which a browser connects again
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}  # nginx must not collect events


@dataclass(frozen=True)
class Reading:
    """What a topic is at one moment."""

    text: str
    last: bool = False  # nothing will follow: the streams end with it

    @property
    def id(self) -> str:
        """The id of its event: the same text has the same id, also after a restart of the server."""
        return of_bytes(self.text.encode())[:16]


Read = Callable[[], Reading | None]  # None, if there is nothing more to read, ends the streams


class EventStreams:
    """The open streams of a server. Not thread-safe: only the event loop calls it."""

    def __init__(self, *, most: int = MOST_STREAMS, interval: float = INTERVAL, ping: float = PING) -> None:
        self.most, self.interval, self.ping = most, interval, ping
        self.closed = False
        self.open = 0
        self._topics: dict[str, _Topic] = {}

    def stream(self, topic: str, read: Read, *, event: str = "message", seen: str = "") -> "EventStream":
        """A response that sends what `read` returns as events called `event`, now and whenever it differs.

        An event whose id is `seen` was received before. Status 503 if there are too many streams.
        """
        return EventStream(self, topic, read, event, seen)

    def close(self) -> None:
        """End all streams, as the server shuts down."""
        self.closed = True
        for topic in self._topics.values():
            topic.wake()

    async def join(self, name: str, read: Read) -> "_Topic":
        """Take part in the topic `name`, whose reader starts with its first stream."""
        self.open += 1
        topic = self._topics.get(name)
        if topic is None or topic.over:  # of a job that was over, and was resumed
            topic = self._topics[name] = _Topic(read)
            topic.task = asyncio.create_task(topic.follow(self.interval))
        topic.streams += 1
        return topic

    def leave(self, name: str, topic: "_Topic") -> None:
        """Leave a topic, whose reader ends with its last stream."""
        self.open -= 1
        topic.streams -= 1
        if not topic.streams:
            topic.end()
            if self._topics.get(name) is topic:
                del self._topics[name]


class EventStream(StreamingResponse):
    """One stream of `topic`."""

    def __init__(self, streams: EventStreams, topic: str, read: Read, event: str, seen: str) -> None:
        super().__init__((), media_type="text/event-stream", headers=HEADERS)
        self._streams, self._name, self._read, self._event, self._seen = streams, topic, read, event, seen

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send events until the client is gone, the topic ends or the server shuts down."""
        if self._streams.closed or self._streams.open >= self._streams.most:
            line = f"{self._streams.most} streams are open already; ask for the state now and then instead"
            return await JSONResponse({"error": line}, 503)(scope, receive, send)
        topic = await self._streams.join(self._name, self._read)
        try:
            self.body_iterator = _events(self._streams, topic, self._event, self._seen)
            await super().__call__(scope, receive, send)
        finally:  # also if the client was gone before the first event
            self._streams.leave(self._name, topic)


async def _events(streams: EventStreams, topic: "_Topic", event: str, seen: str) -> AsyncIterator[bytes]:
    """The bytes of one stream."""
    yield RETRY
    while not streams.closed:
        reading = topic.reading
        if reading and reading.id != seen:
            seen = reading.id
            yield _bytes(reading, event)
        elif topic.over:
            return
        elif not await topic.changes(streams.ping):
            yield b": ping\n\n"


def _bytes(reading: Reading, event: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in reading.text.splitlines())
    return f"id: {reading.id}\nevent: {event}\n{lines}\n".encode()


class _Topic:
    """What one reader reads, for all its streams."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._changed = asyncio.Event()
        self.task: asyncio.Task | None = None
        self.streams = 0
        self.reading: Reading | None = None
        self.over = False

    async def follow(self, interval: float) -> None:
        """Read the text again and again."""
        while True:
            try:
                reading = await run_in_threadpool(self._read)
            except Exception as error:  # whatever it is, pages must not wait for a reader that is gone
                LOG.warning("%s: nobody can be told of changes", type(error).__name__, exc_info=error)
                reading = None
            self.over = reading is None or reading.last
            if reading != self.reading:
                self.reading = reading
                self.wake()
            if self.over:
                return self.wake()
            await asyncio.sleep(interval)

    def wake(self) -> None:
        """Let all streams look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def changes(self, seconds: float) -> bool:
        """Wait for something new; False if nothing came in `seconds`."""
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        return True

    def end(self) -> None:
        """End the reader."""
        if self.task:
            self.task.cancel()
