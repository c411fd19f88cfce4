"""Connections without a proxy, kept alive for the next request to their host.

They are urllib3's, without its pool: that needs more time for a request than the connection itself, and loads all
trusted certificates again for each connection.
"""

import ssl
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from typing import NamedTuple

from urllib3 import BaseHTTPResponse
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ProtocolError, ReadTimeoutError, SSLError
from urllib3.util import create_urllib3_context, parse_url

from pipeline.crawl.transport import WatchedHTTPConnection, WatchedHTTPSConnection

MAX_IDLE = 128  # connections that wait for another request; each is an open file


class Origin(NamedTuple):
    """What a connection leads to."""

    scheme: str
    host: str
    port: int | None


class KeptConnections:
    """All connections of a crawl. Thread-safe.

    Args:
        bundle: the file of trusted certificates.
    """

    def __init__(self, bundle: str) -> None:
        self._bundle = bundle
        self._idle: OrderedDict[Origin, list[HTTPConnection]] = OrderedDict()  # the one used last at the end
        self._count = 0
        self._tls_context: ssl.SSLContext | None = None
        self._lock = threading.Lock()

    @contextmanager
    def get(self, url: str, headers: dict[str, str], seconds: float) -> Iterator[BaseHTTPResponse]:
        """Send a GET request, and give the response before its body is read; a read may take so many `seconds`.

        The connection is kept if the body was read to its end. Raises what urllib3's pool raises.
        """
        target = parse_url(url)
        origin = Origin(target.scheme or "", (target.host or "").strip("[]"), target.port)
        connection = self._take(origin)
        response = None
        try:
            with _errors_as_of_pool(connection, url):
                response = _send(connection, target.request_uri, headers, seconds)
            yield response
        finally:
            if response is not None and response.closed and not connection.is_closed:
                self._give_back(origin, connection)
            else:
                connection.close()

    def close(self) -> None:
        """Close the connections that wait."""
        with self._lock:
            for connections in self._idle.values():
                for connection in connections:
                    connection.close()
            self._idle.clear()
            self._count = 0

    def _take(self, origin: Origin) -> HTTPConnection:
        """A connection that the server has not closed, or a new one, which connects when it is used."""
        with self._lock:
            while connections := self._idle.get(origin):
                self._count -= 1
                connection = connections.pop()
                if not connections:
                    del self._idle[origin]
                if connection.is_connected:
                    return connection
                connection.close()
        if origin.scheme == "https":
            return WatchedHTTPSConnection(origin.host, origin.port, ssl_context=self._trust())
        return WatchedHTTPConnection(origin.host, origin.port)

    def _give_back(self, origin: Origin, connection: HTTPConnection) -> None:
        with self._lock:
            self._idle.setdefault(origin, []).append(connection)
            self._idle.move_to_end(origin)
            self._count += 1
            if self._count > MAX_IDLE:
                oldest, connections = next(iter(self._idle.items()))
                connections.pop(0).close()
                self._count -= 1
                if not connections:
                    del self._idle[oldest]

    def _trust(self) -> ssl.SSLContext:
        """The TLS context of all connections, with the trusted certificates."""
        with self._lock:
            if self._tls_context is None:
                context = create_urllib3_context()
                try:
                    context.load_verify_locations(self._bundle)
                except OSError as error:
                    raise SSLError(error) from error
                self._tls_context = context
            return self._tls_context


def _send(connection: HTTPConnection, path: str, headers: dict[str, str], seconds: float) -> BaseHTTPResponse:
    connection.timeout = seconds
    with suppress(BrokenPipeError, ConnectionResetError):  # the server may have sent its response before
        connection.request("GET", path, headers=headers, preload_content=False)
    return connection.getresponse()


@contextmanager
def _errors_as_of_pool(connection: HTTPConnection, url: str) -> Iterator[None]:
    """Raise errors of the system and of http.client as urllib3's pool does."""
    try:
        yield
    except TimeoutError as error:
        raise ReadTimeoutError(connection, url, "no response in time") from error  # type: ignore[arg-type]  # a pool, to print
    except ssl.SSLError as error:
        raise SSLError(error) from error
    except (OSError, HTTPException) as error:
        raise ProtocolError("connection aborted", error) from error
