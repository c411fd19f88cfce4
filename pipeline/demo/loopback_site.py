"""The site on loopback: pages and pictures over HTTP, drawn when they are asked for."""

import contextlib
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from pipeline.demo import pages
from pipeline.demo.catalogue import Entry, entries, entry
from pipeline.demo.files import file_of

_TYPES = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}
_HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, kw_only=True)
class Site:
    """A site that is being served; `url` is its first page."""

    url: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a request comes to."""

    status: HTTPStatus = HTTPStatus.OK
    body: bytes = b""
    kind: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


@contextmanager
def serve(seed: int = 0, *, pictures: int = 700) -> Iterator[Site]:
    """Serve the embedded subject on 127.0.0.1, at a free port, until the block ends; no thread is left then.

    `seed` chooses the drawings and `pictures` how many addresses of pictures there are; what they show follows from
    their numbers alone. Nothing is drawn before it is asked for, and nothing is kept.
    """
    server = _Server(_Content(seed, pictures))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Site(url=f"http://127.0.0.1:{server.server_port}{pages.INDEX}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        server.hang_up()


class _Content:
    """What is at each path."""

    def __init__(self, seed: int, pictures: int) -> None:
        self.seed = seed
        self._pages = pages.pages(pictures)
        self._entries = {each.path: each for each in entries(pictures)}
        self._late = {path for path, each in self._entries.items() if each.form == "late"}

    def answer(self, path: str) -> Answer:
        """The answer to a GET."""
        if path == "/":
            return Answer(status=HTTPStatus.FOUND, headers=(("Location", pages.INDEX),))
        if path == "/robots.txt":
            return Answer(body=pages.ROBOTS.encode())
        if path in self._pages:
            return Answer(body=self._pages[path].encode(), kind=_HTML)
        if path in self._entries:
            return self._picture(self._entries[path])
        if path == pages.SKETCH:
            return Answer(body=file_of(entry(0), self.seed + 1) or b"", kind=_TYPES["jpg"])
        return Answer(status=HTTPStatus.NOT_FOUND, body=b"Not here.\n")

    def _picture(self, entry_: Entry) -> Answer:
        if entry_.path in self._late:
            self._late.discard(entry_.path)
            return Answer(
                status=HTTPStatus.SERVICE_UNAVAILABLE, body=b"Again, please.\n", headers=(("Retry-After", "0"),)
            )
        body = file_of(entry_, self.seed)
        if body is None:
            return Answer(status=HTTPStatus.NOT_FOUND, body=b"Not here.\n")
        return Answer(body=body, kind=_TYPES[entry_.path.rpartition(".")[2]])


class _Server(ThreadingHTTPServer):
    """A thread a connection, and a way to end them all: clients keep connections open when they are done."""

    request_queue_size = 64

    def __init__(self, content: _Content) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        self._open: dict[threading.Thread, socket.socket] = {}

    def process_request(self, request: Any, client_address: object) -> None:
        """Answer on a thread of its own, and remember which."""
        self._open = {thread: each for thread, each in self._open.items() if thread.is_alive()}
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        self._open[thread] = request
        thread.start()

    def hang_up(self) -> None:
        """End every connection and wait for its thread."""
        for thread, request in self._open.items():
            with contextlib.suppress(OSError):  # closed already
                request.shutdown(socket.SHUT_RDWR)
            thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell of an error on the console, unless it is a client that left in the middle, as stopped ones do."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the head and the body are sent apart
    server: _Server

    def do_GET(self) -> None:
        answer = self.server.content.answer(urlsplit(self.path).path)
        self.send_response(answer.status)
        for name, value in (("Content-Type", answer.kind), ("Content-Length", str(len(answer.body))), *answer.headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Stay silent: the crawl keeps its own record."""
