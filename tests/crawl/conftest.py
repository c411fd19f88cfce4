"""A web site on loopback that answers like real sites, also with errors, and counts its requests."""

import io
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from PIL import Image

from pipeline.crawl import http_client
from pipeline.crawl.download import download
from pipeline.options import DownloadOptions

Responder = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class FakeSite:
    """A site whose `routes` map a path to a responder; any other path is a 404.

    `most_requests_at_once` is the highest number of concurrent requests, `times` are when requests came.
    """

    url: str
    routes: dict[str, Responder] = field(default_factory=dict)
    hits: Counter = field(default_factory=Counter)
    agents: set = field(default_factory=set)
    times: list = field(default_factory=list)
    requests_now: int = 0
    most_requests_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def page(self, path: str, *links: str) -> None:
        """Serve a page with these pictures (<img>) and, for paths that begin with ">", links."""
        tags = [f'<a href="{x[1:]}">on</a>' if x.startswith(">") else f'<img src="{x}">' for x in links]
        self.routes[path] = body("<!doctype html><title>Gallery</title>" + "".join(tags), "text/html; charset=utf-8")

    def pictures(self, count: int, first: int = 0) -> list[str]:
        """Serve `count` different pictures and return their paths."""
        paths = [f"/p/{number:04d}.png" for number in range(first, first + count)]
        self.routes.update({path: body(png(number)) for number, path in enumerate(paths, start=first)})
        return paths


def png(number: int) -> bytes:
    """A small PNG file, different for each number."""
    blob = io.BytesIO()
    Image.new("RGB", (8, 8), (number % 256, number // 256 % 256, 77)).save(blob, "PNG")
    return blob.getvalue()


def body(data: bytes | str, kind: str = "image/png", status: int = 200, **headers: str) -> Responder:
    """A responder that sends a body."""
    data = data.encode() if isinstance(data, str) else data

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def one_after_another(*responders: Responder) -> Responder:
    """A responder that uses the next responder each time, and the last one from then on."""
    left = list(responders)
    return lambda handler: (left.pop(0) if len(left) > 1 else left[0])(handler)


def slow(seconds: float, answer: Responder) -> Responder:
    """A responder that waits before it responds."""

    def later(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        answer(handler)

    return later


def redirect(target: str) -> Responder:
    """A responder that redirects to another URL."""
    return body(b"", status=302, Location=target)


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Send one byte at a time for ever: each read succeeds, the body never ends."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while True:
        handler.wfile.write(b"\x89")
        time.sleep(0.05)


def endless(handler: BaseHTTPRequestHandler) -> None:
    """Send a body without an end and without a Content-Length."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.close_connection = True
    while True:
        handler.wfile.write(bytes(1 << 16))


def cut_short(handler: BaseHTTPRequestHandler) -> None:
    """Send half of the announced body, then close the connection."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(2 * len(png(1))))
    handler.end_headers()
    handler.wfile.write(png(1))
    handler.close_connection = True


@pytest.fixture
def responders() -> SimpleNamespace:
    """The functions above, for tests to serve."""
    functions = (png, body, one_after_another, slow, redirect, drip, endless, cut_short)
    return SimpleNamespace(**{function.__name__: function for function in functions})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address) -> None:
        """Ignore clients that disconnect, which these tests do on purpose."""


@contextmanager
def serve_site(address: str) -> Iterator[FakeSite]:
    """A site on a loopback address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            site = self.server.site
            with site.lock:
                site.hits[self.path] += 1
                site.times.append(time.monotonic())
                site.agents.add(self.headers["User-Agent"])
                site.requests_now += 1
                site.most_requests_at_once = max(site.most_requests_at_once, site.requests_now)
            try:
                site.routes.get(self.path, body(b"nothing here", "text/plain", status=404))(self)
            finally:
                with site.lock:
                    site.requests_now -= 1

        def log_message(self, *_) -> None:
            """Stay silent."""

    server = _Server((address, 0), Handler)
    server.site = FakeSite(url=f"http://{address}:{server.server_port}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server.site
    server.shutdown()
    server.server_close()


@pytest.fixture
def site() -> Iterator[FakeSite]:
    """A site for one test."""
    with serve_site("127.0.0.1") as site:
        yield site


@pytest.fixture
def sites() -> Iterator[list[FakeSite]]:
    """Sites on four hosts, which two worker processes share equally."""
    with ExitStack() as stack:
        try:
            sites = [stack.enter_context(serve_site(f"127.0.0.{number}")) for number in range(2, 6)]
        except OSError:
            pytest.skip("this system has no addresses 127.0.0.2 to 127.0.0.5 (macOS: ifconfig lo0 alias 127.0.0.2 up)")
        yield sites


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch):
    monkeypatch.setattr(http_client, "BACKOFF_SECONDS", 0.01)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def options(site):
    """Make options that crawl the test's site; keyword arguments change them."""

    def make(**changes) -> DownloadOptions:
        base = {"sources": ("site",), "site": site.url + "/", "allow_private": True, "timeout": 5.0}
        return DownloadOptions(**(base | changes))

    return make


@pytest.fixture
def run(tmp_path, options):
    """Download into a new folder each time, in the same dataset."""
    attempts = iter(range(100))

    def start(*, dataset="dataset", progress=lambda *_: None, should_stop=lambda: False, **changes):
        folder = tmp_path / f"attempt{next(attempts)}"
        wanted = options(**changes)
        result = download(wanted, dataset=tmp_path / dataset, folder=folder, progress=progress, should_stop=should_stop)
        return result, folder

    return start


@pytest.fixture
def pictures(tmp_path, responders):
    """A folder with two pictures, a copy and a text file."""
    folder = tmp_path / "pictures"
    (folder / "deep").mkdir(parents=True)
    (folder / "b.png").write_bytes(responders.png(1))
    (folder / "deep" / "ピカ.jpg").write_bytes(responders.png(2))
    (folder / "a copy.png").write_bytes(responders.png(1))
    (folder / "notes.txt").write_text("no picture")
    return folder
