"""Requests under way, so that they can be cut from outside: at their deadline, or all at once when the crawl stops.

A timeout of a socket starts again with every byte, so a server that drips one a second holds a thread for ever, and a
thread that waits in `recv` does not hear that the crawl should stop. Shutting the socket down wakes it.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from pipeline.crawl.answer import STOPPED, TIMEOUT

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


class Watch:
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
