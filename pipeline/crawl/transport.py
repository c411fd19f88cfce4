"""urllib3 connections with a total deadline, which connect only to the IP address that was checked.

A socket timeout restarts with every byte, so a server that sends one byte per second would block a thread for ever, and
a thread that waits in `recv` does not see a request to stop. The watchdog shuts the socket down, which wakes it.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from urllib3 import ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from pipeline.crawl.request import STOPPED, TIMEOUT

# Not global, although ipaddress calls some of them so: IPv4-compatible, site-local, translated and relay addresses
NOT_GLOBAL = [
    ipaddress.ip_network(net) for net in ("::/96", "::ffff:0:0:0/96", "fec0::/10", "64:ff9b:1::/48", "192.88.99.0/24")
]
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052

_thread = threading.local()


class PrivateAddress(Exception):
    """A host resolved to this machine or to a private network."""


class Exchange:
    """One HTTP request in progress: its deadline (`time.monotonic`) and whether it may use private addresses."""

    def __init__(self, *, deadline: float, allow_private: bool) -> None:
        self.deadline = deadline
        self.allow_private = allow_private
        self.cut_reason = ""
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, at least 0.01, because a socket timeout of 0 means non-blocking."""
        return max(self.deadline - time.monotonic(), 0.01)

    def hold(self, sock: socket.socket | None) -> None:
        """Set the socket to shut down on `cut`; None releases it, because another request may use it next."""
        with self._lock:
            self._socket = sock
        if self.cut_reason:
            self.cut(self.cut_reason)

    def cut(self, reason: str) -> None:
        """Cancel the request: a thread that waits on its socket reads an end of file."""
        with self._lock:
            self.cut_reason = self.cut_reason or reason
            if self._socket is not None:
                with suppress(OSError):
                    # Not SSLSocket.shutdown, which removes the TLS layer while another thread reads from it.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def admit(self, address: str) -> None:
        """Raise `PrivateAddress` if this request must not connect to the IP address."""
        if not self.allow_private and is_private(address):
            raise PrivateAddress(address)


class Watchdog:
    """All exchanges in progress; cancels those that are overdue."""

    def __init__(self) -> None:
        self._active: set[Exchange] = set()
        self._lock = threading.Lock()
        self._stopped = False

    @contextmanager
    def exchange(self, *, deadline: float, allow_private: bool) -> Iterator[Exchange]:
        """Register an exchange for the connections that this thread uses in the `with` block."""
        exchange, outer = Exchange(deadline=deadline, allow_private=allow_private), getattr(_thread, "exchange", None)
        with self._lock:
            self._active.add(exchange)
            exchange.cut_reason = STOPPED if self._stopped else ""
        _thread.exchange = exchange
        try:
            yield exchange
        finally:
            exchange.hold(None)
            _thread.exchange = outer
            with self._lock:
                self._active.discard(exchange)

    def cut_overdue(self) -> None:
        """Cancel every exchange that is past its deadline."""
        now = time.monotonic()
        for exchange in self._snapshot():
            if now > exchange.deadline:
                exchange.cut(TIMEOUT)

    def cut_all(self) -> None:
        """Cancel every exchange, and every later one when it begins."""
        self._stopped = True
        for exchange in self._snapshot():
            exchange.cut(STOPPED)

    def _snapshot(self) -> list[Exchange]:
        with self._lock:
            return list(self._active)


def current_exchange() -> Exchange:
    """The exchange of the current thread."""
    return _thread.exchange


def is_private(address: str) -> bool:
    """Whether an IP address is loopback, private, link-local, reserved or multicast, so not on the public internet.

    An IPv6 address that contains an IPv4 address (mapped, 6to4, NAT64) is as private as that one.
    """
    ip = _effective_address(ipaddress.ip_address(address.split("%")[0]))
    return not ip.is_global or ip.is_multicast or any(ip in net for net in NOT_GLOBAL if net.version == ip.version)


def names_private(url: str) -> bool:
    """Whether the host of `url` is a private IP address in any notation that resolvers accept, or localhost."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        return is_private(host)
    except ValueError:
        pass
    try:
        return is_private(str(ipaddress.ip_address(socket.inet_aton(host))))  # 2130706433, 0x7f.1, 127.1
    except (OSError, ValueError):  # a name
        return host == "localhost" or host.endswith(".localhost")


# Some servers send the body only after the header is acknowledged, which Linux delays by 40 ms without this option.
TCP_QUICKACK = getattr(socket, "TCP_QUICKACK", None)


def open_socket(host: str, port: int, exchange: Exchange) -> socket.socket:
    """Connect to the first address of `host` that answers.

    The checked address is the one that is connected to. urllib3 would resolve the name a second time, which may return
    a different address (DNS rebinding).

    Raises:
        OSError: no address answers.
        PrivateAddress: an address is private and the exchange does not allow that.
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


def _effective_address(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if ip.version == 4:
        return ip
    translated = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in NAT64 else None
    return ip.ipv4_mapped or ip.sixtofour or translated or ip


class _WatchedConnection(HTTPConnection):
    """The common part of both connection classes: open the socket within the exchange and register it."""

    def _new_conn(self) -> socket.socket:
        try:
            return open_socket(self.host, self.port, current_exchange())
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"no connection to {self.host} in time") from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send the request; a connection that was kept alive is registered again."""
        current_exchange().hold(self.sock)  # kept alive from an earlier request, or None
        super().request(*args, **kwargs)
        if TCP_QUICKACK is not None:
            self.sock.setsockopt(socket.IPPROTO_TCP, TCP_QUICKACK, 1)


class WatchedHTTPConnection(_WatchedConnection):
    """An HTTP connection that the watchdog can cancel."""


class WatchedHTTPSConnection(_WatchedConnection, HTTPSConnection):
    """An HTTPS connection that the watchdog can cancel, also during the TLS handshake."""

    def connect(self) -> None:
        """Connect and do the TLS handshake."""
        self._tls_socket: socket.socket | None = None
        try:
            super().connect()
        finally:
            current_exchange().hold(self.sock)
            if self._tls_socket is not None:
                self._tls_socket.close()

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        self._tls_socket = sock.dup()  # the TLS layer detaches the descriptor from `sock` before the handshake
        current_exchange().hold(self._tls_socket)
        return sock


class WatchedHTTPPool(HTTPConnectionPool):
    """The HTTP connections to one host."""

    ConnectionCls = WatchedHTTPConnection


class WatchedHTTPSPool(HTTPSConnectionPool):
    """The HTTPS connections to one host."""

    ConnectionCls = WatchedHTTPSConnection


def use_watched_pools(manager: ProxyManager) -> None:
    """Make `manager` use the watched connections."""
    manager.pool_classes_by_scheme = {"http": WatchedHTTPPool, "https": WatchedHTTPSPool}
