"""Connections that are kept alive, and those that are not."""

import socket
import threading
from contextlib import closing

import pytest

from pipeline.crawl import kept_connections
from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.request import RequestPolicy

POLICY = RequestPolicy(max_bytes=1000, allow_private=True, robots=False)
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def client(options):
    with closing(HttpClient(options(retries=0))) as client:
        yield client


@pytest.fixture
def serve():
    """Serve raw responses; returns the URL and the list of connections."""
    servers = []

    def start(*responses):
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)
        accepted = []

        def answer(connection):
            with connection:
                while connection.recv(65536):
                    connection.sendall(responses[min(len(accepted), len(responses)) - 1])

        def accept():
            while True:
                try:
                    connection = server.accept()[0]
                except OSError:
                    return
                accepted.append(connection)
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/", accepted

    yield start
    for server in servers:
        server.close()


def test_connection_is_used_again_after_a_whole_body(client, serve):
    url, accepted = serve(WHOLE)
    assert [client.get(url, POLICY).data for _ in range(3)] == [b"ok"] * 3
    assert len(accepted) == 1


@pytest.mark.parametrize(
    "response",
    [
        WHOLE.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nok",  # too large, so not read
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno!",
    ],
    ids=["closed by the server", "not read", "error"],
)
def test_connection_is_not_used_again_if_something_may_be_left_to_read(client, serve, response):
    url, accepted = serve(response, WHOLE)
    client.get(url, POLICY)
    assert client.get(url, POLICY).data == b"ok"
    assert len(accepted) == 2


def test_only_so_many_connections_wait(client, serve, monkeypatch):
    monkeypatch.setattr(kept_connections, "MAX_IDLE", 2)
    sites = [serve(WHOLE) for _ in range(3)]
    for url, _ in [*sites, *sites[1:], sites[0]]:
        assert client.get(url, POLICY).data == b"ok"
    assert [len(accepted) for _, accepted in sites] == [2, 1, 1]


def test_connection_that_the_server_has_closed_is_not_used(client, serve):
    url, accepted = serve(WHOLE)
    client.get(url, POLICY)
    accepted[0].shutdown(socket.SHUT_RDWR)
    assert client.get(url, POLICY).data == b"ok"
    assert len(accepted) == 2
