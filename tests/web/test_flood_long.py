"""Floods of up to two thousand connections on this machine, and their cost: seconds, memory, log lines."""

import gc
import socket
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.web.fake_dataset import FakeDataset, picture_id
from tests.web.live_server import LiveServer

pytestmark = pytest.mark.long

POST = b"POST /d/cats/labels HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
PAGE = b"GET /d/cats/pictures?view=all HTTP/1.1\r\nhost: localhost\r\n\r\n"
PICTURE = f"GET /d/cats/original/{picture_id(0)} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()
# What each connection sends at first, and then again and again
KINDS = {
    "nothing": (b"", b""),
    "request line": (b"GE", b"T"),
    "headers": (b"GET / HTTP/1.1\r\nhost: localhost\r\n", b"a: b\r\n"),
    "body": (POST + b"content-length: 1000000\r\n\r\n", b" "),
    "upload": (
        b"POST /api/v1/datasets/cats/pictures HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000000\r\n"
        b"content-type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
        b'content-disposition: form-data; name="pictures"; filename="a.png"\r\n\r\n',
        b"x" * 100,
    ),
    "chunks": (POST + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 1000),
    "bodies of the safe": (
        b"GET /static/icon.svg HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n",
        b"x" * 100,
    ),
    "large headers": (b"GET / HTTP/1.1\r\n", b"a: " + b"b" * 60_000 + b"\r\n"),
    "cookies": (b"GET / HTTP/1.1\r\nhost: localhost\r\ncookie: ", b"a=b; " * 10_000),
    "no HTTP": (b"\x16\x03\x01\x02\r\n\r\n", b"\r\n\r\n"),
    "web sockets": (
        b"GET /static/icon.svg HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        b"x",
    ),
    "unread pages": (PAGE * 50, PAGE),
    "unread pictures": (PICTURE * 50, PICTURE),
}
WHOLE = ("unread pages", "unread pictures")  # real work, which takes its time: not opened again
# They are answered, or parsed as they come, and others wait their turn
ANSWERED = (*WHOLE, "bodies of the safe", "web sockets", "upload")
SECONDS = 15.0  # of each flood
PATIENCE = 4.0  # seconds within which an ordinary request is answered meanwhile; a free machine takes 1.3 at most
LINES = 8  # on the console
LATE = 10.0  # the same when as many whole requests, or uploads, came before it; two slow cores take 5
MEGABYTES = 100.0  # that a flood may cost: 256 connections with what waits in each


class Flood:
    """Connections that are reopened when the server closes them, until the context ends."""

    def __init__(self, port: int, kind: str, number: int) -> None:
        self.port, self.number, self.again = port, number, kind not in WHOLE
        self.first, self.more = KINDS[kind]
        self.over = threading.Event()
        self.opened = 0
        self.thread = threading.Thread(target=self.attack, daemon=True)

    def __enter__(self) -> "Flood":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join(60)

    def attack(self) -> None:
        held: list[socket.socket] = []
        while not self.over.is_set():
            while len(held) < self.number and not self.over.is_set() and (self.again or self.opened < self.number):
                with suppress(OSError):
                    held.append(self.open())
            held = [each for each in held if self.send(each)]
            self.over.wait(0.2)
        for each in held:
            each.close()

    def open(self) -> socket.socket:
        found = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        found.setblocking(False)
        self.opened += 1
        with suppress(OSError):
            found.send(self.first)
        return found

    def send(self, client: socket.socket) -> bool:
        try:
            client.send(self.more)
        except BlockingIOError:
            return True
        except OSError:
            client.close()
            return False
        return True


@pytest.fixture
def live_server(tmp_path):
    """A server with large squares, and its console in a file."""
    fake_dataset = FakeDataset(tmp_path / "home")
    fake_dataset.draw(200)
    large = next((fake_dataset.store("download").newest().folder / "images").glob(f"{picture_id(0)}*"))
    large.write_bytes(large.read_bytes() + bytes(5_000_000))
    made = LiveServer(fake_dataset)
    with (tmp_path / "console").open("wb") as said:
        yield made.start(files=1024, said=said)
    made.kill()


def memory(live_server: LiveServer) -> float:
    """Memory of the server in megabytes."""
    lines = Path(f"/proc/{live_server.process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1000


def asked(live_server: LiveServer) -> float:
    """Seconds until an ordinary request on its own connection is answered; repeated if it is refused."""
    began = time.monotonic()
    while time.monotonic() - began < 10:
        with (
            suppress(ConnectionError, HTTPError),
            urllib.request.urlopen(f"{live_server.address}/d/cats/summary", timeout=10) as answer,
        ):
            answer.read()
            return time.monotonic() - began
        time.sleep(0.05)
    raise TimeoutError("every request was refused")


@pytest.mark.parametrize("number", [300, 2000])
@pytest.mark.parametrize("kind", KINDS)
def test_flood_uses_little_memory_and_others_are_answered(live_server, tmp_path, kind, number):
    gc.collect()
    asked(live_server)
    before, most, slowest = memory(live_server), 0.0, 0.0
    with Flood(live_server.port, kind, number) as flood:
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            slowest = max(slowest, asked(live_server))
            most = max(most, memory(live_server))
            time.sleep(0.3)
        live_server.process.send_signal(2)
        began = time.monotonic()
        assert live_server.process.wait(15) == 0
        ended = time.monotonic() - began
    lines = (tmp_path / "console").read_text().splitlines()
    print(
        f"\n{kind}, {number}: {flood.opened} opened; slowest answer {slowest:.2f} s; memory {before:.0f} to {most:.0f}"
        f" MB; {len(lines)} lines; ended in {ended:.1f} s"
    )
    assert slowest < (LATE if kind in ANSWERED else PATIENCE)
    assert most - before < MEGABYTES
    assert len(lines) <= LINES, lines
    assert ended < 5


def test_server_works_after_a_flood(live_server):
    with Flood(live_server.port, "body", 2000):
        time.sleep(3)
    assert max(asked(live_server) for _ in range(5)) < 0.5
    assert memory(live_server) < 200
