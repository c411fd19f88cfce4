"""Connections for urllib3 with a total deadline, which connect only to the address that was checked.

A socket's timeout starts again with every byte, so a server that sends one byte a second would hold a thread for ever,
and a thread that waits in `recv` does not hear a request to stop. The watchdog shuts the socket down, which wakes it.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from urllib3 import PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from pipeline.crawl.request import STOPPED, TIMEOUT

# Not of the internet, whatever ipaddress says of some: compatible, site-local, and translated addresses, and relays
LOCAL = [
    ipaddress.ip_network(net) for net in ("::/96", "::ffff:0:0:0/96", "fec0::/10", "64:ff9b:1::/48", "192.88.99.0/24")
]
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052

_thread = threading.local()


class PrivateAddress(Exception):
    """A host's name led to this machine or to a private network."""


class Exchange:
    """One request under way: until when it may last, and where it may lead."""

    def __init__(self, *, deadline: float, allow_private: bool) -> None:
        self.deadline = deadline
        self.allow_private = allow_private
        self.cut_by = ""
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, never quite 0: a socket takes 0 for 'do not wait'."""
        return max(self.deadline - time.monotonic(), 0.01)

    def hold(self, sock: socket.socket | None) -> None:
        """Take `sock` as the one to cut; None lets go of it, as another request may have it next."""
        with self._lock:
            self._socket = sock
        if self.cut_by:
            self.cut(self.cut_by)

    def cut(self, reason: str) -> None:
        """End the request now: whoever waits on its socket wakes to an end of file."""
        with self._lock:
            self.cut_by = self.cut_by or reason
            if self._socket is not None:
                with suppress(OSError):
                    # Not SSLSocket's own shutdown: that one takes the TLS layer away under the reading thread.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def admit(self, address: str) -> None:
        """Raise `PrivateAddress` unless this request may go to the IP `address`."""
        if not self.allow_private and is_private(address):
            raise PrivateAddress(address)


class Watchdog:
    """All the exchanges that are under way."""

    def __init__(self) -> None:
        self._live: set[Exchange] = set()
        self._lock = threading.Lock()
        self._stopped = False

    @contextmanager
    def exchange(self, *, deadline: float, allow_private: bool) -> Iterator[Exchange]:
        """Make an exchange that the connections of this thread belong to."""
        exchange, outer = Exchange(deadline=deadline, allow_private=allow_private), getattr(_thread, "exchange", None)
        with self._lock:
            self._live.add(exchange)
            exchange.cut_by = STOPPED if self._stopped else ""
        _thread.exchange = exchange
        try:
            yield exchange
        finally:
            exchange.hold(None)
            _thread.exchange = outer
            with self._lock:
                self._live.discard(exchange)

    def cut_overdue(self) -> None:
        """Cut every exchange whose deadline is past."""
        now = time.monotonic()
        for exchange in self._snapshot():
            if now > exchange.deadline:
                exchange.cut(TIMEOUT)

    def cut_all(self) -> None:
        """Cut every exchange under way, and every later one as it begins."""
        self._stopped = True
        for exchange in self._snapshot():
            exchange.cut(STOPPED)

    def _snapshot(self) -> list[Exchange]:
        with self._lock:
            return list(self._live)


def current() -> Exchange:
    """The exchange of this thread."""
    return _thread.exchange


def is_private(address: str) -> bool:
    """Whether an IP address is not one of the public internet: loopback, private, link-local, reserved, multicast.

    An IPv6 address that stands for an IPv4 one (mapped, 6to4, NAT64) is as private as that.
    """
    ip = _plain(ipaddress.ip_address(address.split("%")[0]))
    return not ip.is_global or ip.is_multicast or any(ip in net for net in LOCAL if net.version == ip.version)


def names_private(url: str) -> bool:
    """Whether `url` spells out an address of this machine or of a private network, in whatever way resolvers take."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        return is_private(host)
    except ValueError:
        pass
    try:
        return is_private(str(ipaddress.ip_address(socket.inet_aton(host))))  # 2130706433, 0x7f.1, 127.1
    except (OSError, ValueError):  # a name
        return host == "localhost" or host.endswith(".localhost")


def _plain(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if ip.version == 4:
        return ip
    translated = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in NAT64 else None
    return ip.ipv4_mapped or ip.sixtofour or translated or ip


# Many a server sends the body only once its head is acknowledged, which Linux puts off by 40 ms unless told.
QUICKACK = getattr(socket, "TCP_QUICKACK", None)


def open_socket(host: str, port: int, exchange: Exchange) -> socket.socket:
    """Connect to the first address of `host` that answers.

    The address that is checked is the one that is connected to: a second look-up, as urllib3's own way has it, might
    give another one. Raises OSError, or `PrivateAddress`.
    """
    failure = OSError("no address found")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        exchange.admit(str(address[0]))
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


class _Watched(HTTPConnection):
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

    def request(self, *args: Any, **kwargs: Any) -> None:
        current().hold(self.sock)  # one kept alive from an earlier request, or None
        super().request(*args, **kwargs)
        if QUICKACK is not None:
            self.sock.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)


class WatchedHTTPConnection(_Watched):
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
