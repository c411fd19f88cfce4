"""Server-sent events, driven as the server drives them, without a network."""

import asyncio
import json
import threading
from typing import Any

from pipeline.web.event_stream import EventStreams, Reading

QUICK = 0.01  # seconds


class Client:
    """One client of a stream: what it was sent, and when it goes away."""

    def __init__(self, streams: EventStreams, topic: str, read: Any, seen: str = "") -> None:
        self.sent: list[dict] = []
        self.gone = asyncio.Event()
        response = streams.stream(topic, read, event="cat", seen=seen)
        self.task = asyncio.create_task(response({"type": "http"}, self._receive, self._send))

    async def _receive(self) -> dict:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict) -> None:
        self.sent.append(message)

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.sent).decode()

    @property
    def events(self) -> list[str]:
        return [line.removeprefix("data: ") for line in self.text.splitlines() if line.startswith("data: ")]

    async def until(self, condition: Any) -> None:
        for _ in range(1000):
            if condition():
                return
            await asyncio.sleep(QUICK)
        raise AssertionError(f"never came: {self.text!r}")

    async def leave(self) -> None:
        self.gone.set()
        await self.task


class Source:
    """A text that a test changes, and how often and in which threads it was read."""

    def __init__(self, text: str, last: bool = False) -> None:
        self.text, self.last, self.reads, self.threads = text, last, 0, set()

    def __call__(self) -> Reading:
        self.reads += 1
        self.threads.add(threading.current_thread())
        return Reading(self.text, last=self.last)


def run(scene: Any, **keywords: Any) -> None:
    async def played() -> None:
        await asyncio.wait_for(scene(EventStreams(interval=QUICK, **keywords)), 20)

    asyncio.run(played())


def test_a_stream_sends_the_state_at_once_and_again_only_when_it_differs():
    async def scene(streams):
        source = Source("one")
        client = Client(streams, "cats", source)
        await client.until(lambda: client.events == ["one"])
        read = source.reads
        await client.until(lambda: source.reads > read + 3)
        source.text = "two"
        await client.until(lambda: client.events == ["one", "two"])
        assert client.sent[0]["status"] == 200
        assert (b"content-type", b"text/event-stream; charset=utf-8") in client.sent[0]["headers"]
        await client.leave()

    run(scene)


def test_streams_of_one_topic_share_a_reader_and_need_no_thread():
    async def scene(streams):
        source = Source("one")
        clients = [Client(streams, "cats", source) for _ in range(20)]
        for client in clients:
            await client.until(lambda client=client: client.events == ["one"])
        before, threads = source.reads, len(source.threads)
        await asyncio.sleep(20 * QUICK)
        assert source.reads - before <= 25
        assert threads < 5
        for client in clients:
            await client.leave()
        assert streams.open == 0
        after = source.reads
        await asyncio.sleep(10 * QUICK)
        assert source.reads <= after + 1

    run(scene)


def test_more_streams_than_are_allowed_are_refused_with_a_line_until_one_ends():
    async def scene(streams):
        source = Source("one")
        first, second = Client(streams, "cats", source), Client(streams, "dogs", source)
        await first.until(lambda: first.events and second.events)
        refused = Client(streams, "cats", source)
        await refused.task
        assert refused.sent[0]["status"] == 503
        assert "2 streams" in json.loads(refused.text)["error"]
        await first.leave()
        accepted = Client(streams, "cats", source)
        await accepted.until(lambda: accepted.events == ["one"])
        await accepted.leave()
        await second.leave()

    run(scene, most=2)


def test_a_silent_stream_sends_comments():
    async def scene(streams):
        client = Client(streams, "cats", Source("one"))
        await client.until(lambda: client.text.count(": ping") >= 2)
        assert client.events == ["one"]
        await client.leave()

    run(scene, ping=QUICK)


def test_streams_end_when_the_server_shuts_down_and_none_begins_then():
    async def scene(streams):
        clients = [Client(streams, topic, Source(topic)) for topic in ("cats", "dogs")]
        for client in clients:
            await client.until(lambda client=client: client.events)
        streams.close()
        for client in clients:
            await client.task
        late = Client(streams, "cats", Source("one"))
        await late.task
        assert late.sent[0]["status"] == 503
        assert streams.open == 0

    run(scene)


def test_a_stream_ends_if_its_text_cannot_be_read():
    async def scene(streams):
        def fails() -> Reading:
            raise RuntimeError("the disk is gone")

        client = Client(streams, "cats", fails)
        await client.task
        assert client.events == []
        assert not client.sent[-1].get("more_body")
        assert streams.open == 0

    run(scene)


def test_the_last_text_ends_its_streams_and_a_later_stream_of_the_topic_reads_again():
    async def scene(streams):
        source = Source("runs")
        client = Client(streams, "a job", source)
        await client.until(lambda: client.events == ["runs"])
        source.text, source.last = "done", True
        await client.task
        assert client.events == ["runs", "done"]
        source.text, source.last = "resumed", False
        late = Client(streams, "a job", source)
        await late.until(lambda: late.events == ["resumed"])
        await late.leave()

    run(scene)


def test_who_has_seen_an_event_is_not_sent_it_again():
    async def scene(streams):
        source = Source("one")
        seen = Reading("one").id
        client = Client(streams, "cats", source, seen=seen)
        await client.until(lambda: source.reads > 3)
        assert client.events == []
        source.text = "two"
        await client.until(lambda: client.events == ["two"])
        assert f"id: {Reading('two').id}\nevent: cat\ndata: two\n\n" in client.text
        await client.leave()

    run(scene)


def test_a_text_of_several_lines_is_one_event():
    async def scene(streams):
        client = Client(streams, "cats", Source("one\ntwo"))
        await client.until(lambda: client.text.endswith("data: one\ndata: two\n\n"))
        await client.leave()

    run(scene)
