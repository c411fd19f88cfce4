"""Connections for urllib3 that go only where their exchange may go, and that it can cut at any moment."""

import socket

from urllib3 import PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from pipeline.crawl.watch import Exchange, current

# Many a server sends the body only once its head is acknowledged, which Linux puts off by 40 ms unless told.
QUICKACK = getattr(socket, "TCP_QUICKACK", None)


def open_socket(host: str, port: int, exchange: Exchange) -> socket.socket:
    """Connect to the first address of `host` that answers.

    The address that is checked is the one that is connected to: a second look-up, as urllib3's own way has it, might
    give another one. Raises OSError, or `PrivateAddress`.
    """
    failure = OSError("no address found")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        exchange.admit(address[0])
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(exchange.remaining)
            exchange.hold(sock)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


class _Watched:
    """What both kinds of connection do: open the socket under the exchange, and hand it over for cutting."""

    def _new_conn(self) -> socket.socket:
        try:
            return open_socket(self.host, self.port, current())
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"no connection to {self.host} in time") from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error

    def request(self, *args, **kwargs) -> None:
        current().hold(self.sock)  # one kept alive from an earlier request, or None
        super().request(*args, **kwargs)
        if QUICKACK is not None:
            self.sock.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)


class WatchedHTTPConnection(_Watched, HTTPConnection):
    """A plain connection of an exchange."""


class WatchedHTTPSConnection(_Watched, HTTPSConnection):
    """A TLS connection of an exchange."""

    def connect(self) -> None:
        """Connect and shake hands."""
        self._spare: socket.socket | None = None
        try:
            super().connect()
        finally:
            current().hold(self.sock)
            if self._spare is not None:
                self._spare.close()

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        self._spare = sock.dup()  # the TLS layer takes the descriptor out of `sock` before it shakes hands
        current().hold(self._spare)
        return sock


class WatchedHTTPPool(HTTPConnectionPool):
    """The plain connections to one host."""

    ConnectionCls = WatchedHTTPConnection


class WatchedHTTPSPool(HTTPSConnectionPool):
    """The TLS connections to one host."""

    ConnectionCls = WatchedHTTPSConnection


def watched(manager: PoolManager | ProxyManager) -> PoolManager | ProxyManager:
    """`manager`, making watched connections from now on."""
    manager.pool_classes_by_scheme = {"http": WatchedHTTPPool, "https": WatchedHTTPSPool}
    return manager
