"""An HTTP server on loopback for the demo site; pictures are drawn when they are requested."""

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
class Response:
    """The response to a request."""

    status: HTTPStatus = HTTPStatus.OK
    body: bytes = b""
    kind: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


@contextmanager
def serve(seed: int = 0, *, pictures: int = 700) -> Iterator[Site]:
    """Serve the demo site on 127.0.0.1 at a free port until the `with` block ends; all threads end then.

    `seed` determines the drawings and `pictures` the number of picture URLs; the subjects are determined by their
    numbers. Pictures are drawn on request and not cached.
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
        server.close_connections()


class _Content:
    """The content at each path."""

    def __init__(self, seed: int, pictures: int) -> None:
        self.seed = seed
        self._pages = pages.pages(pictures)
        self._entries = {each.path: each for each in entries(pictures)}
        self._late = {path for path, each in self._entries.items() if each.form == "late"}

    def response(self, path: str) -> Response:
        """The response to a GET request."""
        if path == "/":
            return Response(status=HTTPStatus.FOUND, headers=(("Location", pages.INDEX),))
        if path == "/robots.txt":
            return Response(body=pages.ROBOTS.encode())
        if path in self._pages:
            return Response(body=self._pages[path].encode(), kind=_HTML)
        if path in self._entries:
            return self._picture(self._entries[path])
        if path == pages.SKETCH:
            return Response(body=file_of(entry(0), self.seed + 1) or b"", kind=_TYPES["jpg"])
        return Response(status=HTTPStatus.NOT_FOUND, body=b"Not here.\n")

    def _picture(self, entry_: Entry) -> Response:
        if entry_.path in self._late:
            self._late.discard(entry_.path)
            return Response(
                status=HTTPStatus.SERVICE_UNAVAILABLE, body=b"Again, please.\n", headers=(("Retry-After", "0"),)
            )
        body = file_of(entry_, self.seed)
        if body is None:
            return Response(status=HTTPStatus.NOT_FOUND, body=b"Not here.\n")
        return Response(body=body, kind=_TYPES[entry_.path.rpartition(".")[2]])


class _Server(ThreadingHTTPServer):
    """A server with one thread per connection, which can close all connections: clients keep them alive."""

    request_queue_size = 64

    def __init__(self, content: _Content) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        self._open: dict[threading.Thread, socket.socket] = {}

    def process_request(self, request: Any, client_address: object) -> None:
        """Handle a connection in its own thread, and remember both."""
        self._open = {thread: each for thread, each in self._open.items() if thread.is_alive()}
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        self._open[thread] = request
        thread.start()

    def close_connections(self) -> None:
        """Close every connection and wait for its thread."""
        for thread, request in self._open.items():
            with contextlib.suppress(OSError):  # already closed
                request.shutdown(socket.SHUT_RDWR)
            thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print an error, unless the client disconnected, as stopped crawls do."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # header and body are sent separately
    server: _Server

    def do_GET(self) -> None:
        response = self.server.content.response(urlsplit(self.path).path)
        self.send_response(response.status)
        for name, value in (
            ("Content-Type", response.kind),
            ("Content-Length", str(len(response.body))),
            *response.headers,
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)

    def log_message(self, *_: object) -> None:
        """Print nothing: the crawl has its own record."""
