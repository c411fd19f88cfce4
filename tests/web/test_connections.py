"""Limits on connections: slow requests, slow readers, floods; over sockets, against a server with short timeouts."""

import asyncio
import os
import resource
import signal
import socket
import threading
import time
import urllib.request
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from types import SimpleNamespace

import pytest

from pipeline.web import connections
from pipeline.web.connections import BODY, IDLE, RESPONSE, Connections, Limits
from pipeline.web.server import Server, listen
from tests.web.live_server import LiveServer

SHORT = Limits(connections=12, headers=0.6, body=0.9, client=1.0, idle=0.6)
LARGE = 30_000_000  # bytes: more than a loopback socket takes without a reader
GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: localhost\r\n"
PATIENCE = 6.0


async def application(scope, receive, send):
    """Respond with the length of the request; `/large` responds with many bytes, `/late` after a delay."""
    length, more = 0, scope["method"] == "POST"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length, more = length + len(message["body"]), message["more_body"]
    if scope["path"] == "/late":
        await asyncio.sleep(1.5)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-length", str(length).encode())]})
    for left in range(LARGE if scope["path"] == "/large" else 0, 0, -65536):
        await send({"type": "http.response.body", "body": bytes(min(left, 65536)), "more_body": True})
    await send({"type": "http.response.body", "body": b"done"})


class CountingConnections(Connections):
    """Also counts all connections that were ever opened."""

    ever = 0

    def add(self, new) -> None:
        self.ever += 1
        super().add(new)


@contextmanager
def served(limits: Limits):
    """The port of a server of `application`, and its connections."""
    ready, found = threading.Event(), CountingConnections(limits)
    with listen("127.0.0.1", 0) as listener:
        server = Server(application, found, ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        port = listener.getsockname()[1]
        thread.start()
        assert ready.wait(10)
        try:
            yield port, found
        finally:
            server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture(scope="module")
def short_timeouts():
    """A server with short timeouts."""
    with served(SHORT) as server:
        yield server


@pytest.fixture(autouse=True)
def no_other_connections(request):
    """Each test starts without the connections of the previous one."""
    yield
    if "short_timeouts" in request.fixturenames:
        wait_until(lambda: not len(request.getfixturevalue("short_timeouts")[1]))


def wait_until(true) -> None:
    """Wait until `true()` is true."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def connect(port: int) -> socket.socket:
    found = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    found.settimeout(PATIENCE)
    return found


def answer(client: socket.socket) -> bytes:
    """Everything that the server sends until it closes the connection."""
    said = b""
    with suppress(ConnectionError):
        while piece := client.recv(1 << 20):
            said += piece
    return said


def drip(client: socket.socket, first: bytes, more: bytes) -> tuple[float, bytes]:
    """Send `first`, then `more` ten times a second until the server closes; returns the seconds and its response."""
    began = time.monotonic()
    client.sendall(first)
    client.settimeout(0.1)
    said = b""
    while time.monotonic() - began < PATIENCE:
        try:
            if not (piece := client.recv(65536)):
                break
            said += piece
        except TimeoutError:
            with suppress(ConnectionError):
                client.sendall(more)
        except ConnectionError:
            break
    return time.monotonic() - began, said


SLOW = {
    "nothing": (b"", b""),
    "empty lines": (b"", b"\r\n"),
    "request line": (b"GE", b"T"),
    "headers": (b"GET / HTTP/1.1\r\n", b"a: b\r\n"),
    "body": (POST + b"content-length: 1000000\r\n\r\n", b"x"),
    "body that nobody reads": (b"GET / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n", b"x"),
    "second request": (GET, b"G"),
}


def test_slow_request_times_out(short_timeouts):
    found = {}

    def attack(name: str) -> None:
        with connect(short_timeouts[0]) as client:
            found[name] = drip(client, *SLOW[name])

    threads = [threading.Thread(target=attack, args=(name,)) for name in SLOW]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert {name for name in SLOW if found[name][0] >= PATIENCE - 0.5} == set()
    told = {name for name in SLOW if found[name][1].split(b"\r\n\r\n")[-1] == b"the request did not arrive in time"}
    assert told == {"request line", "headers", "body", "second request"}
    assert found["nothing"][1] == b""


def test_request_in_pieces_is_answered_within_the_timeout(short_timeouts):
    with connect(short_timeouts[0]) as client:
        for _ in range(2):  # and the second on the same connection
            for piece in (POST[:7], POST[7:] + b"content-length: 4\r\n\r\nab", b"cd"):
                client.sendall(piece)
                time.sleep(0.3)
            said = client.recv(65536)
            assert said.startswith(b"HTTP/1.1 200")
            assert b"x-length: 4" in said


def test_slow_response_does_not_count_as_client_timeout(short_timeouts):
    with connect(short_timeouts[0]) as client:
        client.sendall(GET.replace(b"/", b"/late", 1))
        assert client.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("half_closed", [False, True])
def test_client_that_reads_nothing_is_closed_and_its_buffer_freed(short_timeouts, half_closed):
    before = short_timeouts[1].ever
    with connect(short_timeouts[0]) as client:
        client.sendall(GET.replace(b"/", b"/large", 1) * 20)
        if half_closed:
            client.shutdown(socket.SHUT_WR)
        wait_until(lambda: short_timeouts[1].ever > before)
        wait_until(lambda: not len(short_timeouts[1]))
        assert len(answer(client)) < LARGE


def test_slow_reader_gets_the_whole_response(short_timeouts):
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.connect(("127.0.0.1", short_timeouts[0]))
        client.sendall(GET.replace(b"/", b"/large", 1).replace(b"host", b"connection: close\r\nhost", 1))
        length, began = 0, time.monotonic()
        while piece := client.recv(65536):
            length += len(piece)
            if time.monotonic() - began < 2 * SHORT.client:
                time.sleep(0.05)
        assert length > LARGE


def test_chunked_request_is_refused_before_its_chunks_are_read(short_timeouts):
    with connect(short_timeouts[0]) as client:
        client.sendall(POST + b"transfer-encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 10_000)
        assert answer(client).startswith(b"HTTP/1.1 411")


def test_pipelined_requests_close_the_connection(short_timeouts):
    with connect(short_timeouts[0]) as client:
        client.sendall(GET * 100)
        assert answer(client).count(b"HTTP/1.1 200") == 1


def test_longest_waiting_connections_are_closed_first(short_timeouts):
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(short_timeouts[0])) for _ in range(3 * SHORT.connections)]
        for each in clients:
            each.sendall(b"GET / HT")
        last = stack.enter_context(connect(short_timeouts[0]))
        last.sendall(GET)
        assert last.recv(65536).startswith(b"HTTP/1.1 200")
        assert len(short_timeouts[1]) <= SHORT.connections
        assert answer(clients[0]) == b""


def test_incomplete_requests_do_not_exhaust_file_descriptors(fake_dataset, tmp_path):
    live_server = LiveServer(fake_dataset)
    path = tmp_path / "console"
    half = (POST, POST + b"content-length: 9\r\ncontent-type: application/json\r\n\r\n{")
    with path.open("wb") as said, ExitStack() as stack:
        live_server.start(files=200, said=said)
        try:
            for number in range(300):
                stack.enter_context(connect(live_server.port)).sendall(half[number % 2])
            began = time.monotonic()
            assert urllib.request.urlopen(live_server.page, timeout=10).status == 200
            assert time.monotonic() - began < 2
            live_server.process.send_signal(signal.SIGINT)
            assert live_server.process.wait(5) == 0
        finally:
            live_server.kill()
    lines = path.read_text().splitlines()
    assert len(lines) <= 3, lines
    assert "more than 66 connections at once" in lines[0]


class FakeConnection:
    """A fake connection for `Connections.add`."""

    number = count()

    def __init__(self, address: str = "", *, waiting_for: str = IDLE) -> None:
        self.address, self.waiting_for, self.since, self.dropped = address, waiting_for, next(self.number), False

    def drop(self) -> None:
        self.dropped = True


def dropped_when_added(*fakes: FakeConnection, **limits: int) -> list[bool]:
    """Which of these connections are dropped if they arrive one after the other."""
    held = Connections(Limits(**limits))
    for each in fakes:
        each.drop = lambda each=each: (setattr(each, "dropped", True), held.remove(each))
        held.add(each)
    return [each.dropped for each in fakes]


def test_connections_from_one_address_are_limited():
    fakes = [
        FakeConnection("192.0.2.1"),
        FakeConnection(),
        FakeConnection("192.0.2.1"),
        FakeConnection("192.0.2.1"),
        FakeConnection("192.0.2.2"),
    ]
    assert dropped_when_added(*fakes, per_address=2) == [True, False, False, False, False]


def test_connection_with_a_response_in_progress_is_not_closed():
    assert dropped_when_added(
        FakeConnection(waiting_for=RESPONSE), FakeConnection(waiting_for=BODY), FakeConnection(), connections=2
    ) == [False, True, False]
    assert dropped_when_added(
        FakeConnection(waiting_for=RESPONSE), FakeConnection(waiting_for=RESPONSE), FakeConnection(), connections=2
    ) == [False, False, True]


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("127.0.0.1", ""),
        ("::1", ""),
        ("::ffff:127.0.0.1", ""),
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_address_key_groups_by_machine_and_ignores_loopback(address, counted):
    assert connections.address_key(address) == counted


@pytest.mark.parametrize(
    ("allowed", "most", "asked", "expected"),
    [
        (256, 256, 256, 85),
        (256, 100_000, 1024, 256),
        (256, resource.RLIM_INFINITY, 1024, 256),
        (50_000, 50_000, None, 256),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None, 256),
    ],
)
def test_connection_limit_follows_the_descriptor_limit(monkeypatch, allowed, most, asked, expected):
    given = []
    system = SimpleNamespace(
        RLIMIT_NOFILE=0,
        RLIM_INFINITY=resource.RLIM_INFINITY,
        getrlimit=lambda _: (allowed, most),
        setrlimit=lambda _, values: given.append(values[0]),
    )
    monkeypatch.setattr(connections, "resource", system)
    assert connections.limits().connections == expected
    assert given == ([asked] if asked else [])


def test_descriptor_exhaustion_closes_half_of_the_waiting_connections(capsys):
    held = Connections(Limits())
    fakes = [FakeConnection(), FakeConnection(waiting_for=RESPONSE), FakeConnection(), FakeConnection()]
    for each in fakes:
        held.add(each)
    server = Server(application, held, lambda: None)
    server._handle_loop_error(None, {"message": "", "exception": OSError(24, os.strerror(24))})
    assert [each.dropped for each in fakes] == [True, False, True, False]
    assert "no more files can be opened" in capsys.readouterr().err
