"""Limits on connections: how many there are at once, and how long each may wait.

uvicorn 0.54 waits without end for the rest of a request, and for a client that does not read its answer; and it takes
connections until the process has no descriptors left. Here each wait has a deadline, and when there are too many
connections, the one that has waited longest makes room for the next, so that a browser is answered during a flood.
"""

import ipaddress
import logging
import time
from asyncio import Transport
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

try:
    import resource
except ModuleNotFoundError:  # Windows, where sockets are no files
    resource = None  # type: ignore[assignment]  # asked for before it is used

LOG = logging.getLogger("uvicorn.error")
WANTED_FILES = 1024  # descriptors to ask the system for, which gives 256 on macOS
SHARE = 3  # one descriptor in so many is a connection's; the rest is for pictures, runs, and sockets being closed

# What a connection waits for
IDLE, HEADERS, BODY, ANSWER, READER = "idle", "headers", "body", "answer", "reader"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is allowed; times in seconds."""

    connections: int = 256  # a browser opens six, and a flood should cost some megabytes at most
    per_address: int = 64  # of one other machine: ten browsers behind one address
    headers: float = 10.0  # from a request's first byte to the end of its headers; nginx takes 60
    body: float = 30.0  # from there to its end: 1 MiB at 35 kB/s, a slow tunnel
    reader: float = 30.0  # in which a client must read at least `read` bytes of what waits for it
    read: int = 16_000
    idle: float = 10.0  # for a connection to begin; between two requests uvicorn's own 5 s come first
    burst: int = 32  # connections accepted before any of them is counted


def limits() -> Limits:
    """The default limits, or fewer connections where the system allows few descriptors; asks it for more first."""
    if resource is None:
        return Limits()
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed < WANTED_FILES and allowed != resource.RLIM_INFINITY:
        allowed = WANTED_FILES if most == resource.RLIM_INFINITY else min(WANTED_FILES, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    if allowed == resource.RLIM_INFINITY:
        return Limits()
    most = max(8, min(Limits.connections, allowed // SHARE))
    return Limits(connections=most, burst=min(Limits.burst, most // 2))


class Connections:
    """All connections that are open. Not for threads: the event loop alone calls it."""

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.clock = clock
        self.closed = False  # the server ends: what was accepted before is dropped as it comes
        self._open: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._open)

    def protocol(self) -> type["Connection"]:
        """What uvicorn takes as `http`: a protocol whose connections are counted here."""
        return type("Connection", (Connection,), {"all": self})

    def admit(self, new: "Connection") -> None:
        """Count a connection; the one that has waited longest goes if there are too many, or else the new one."""
        if self.closed:
            return new.drop()
        if new.address:
            mine = {each for each in self._open if each.address == new.address}
            self._make_room(mine, self.limits.per_address, new, f"from {new.address}")
        self._make_room(self._open, self.limits.connections, new, "at once")
        if not new.dropped:
            self._open.add(new)

    def leave(self, connection: "Connection") -> None:
        """Count a connection no more."""
        self._open.discard(connection)

    def sweep(self) -> None:
        """Close the connections whose wait is over."""
        now = self.clock()
        allowed = {IDLE: self.limits.idle, HEADERS: self.limits.headers, BODY: self.limits.body}
        for each in list(self._open):
            each.look()
            if each.waits == READER and now - each.since > self.limits.reader:
                each.drop()
            elif now - each.since > allowed.get(each.waits, float("inf")):
                each.expire()

    def relieve(self) -> None:
        """Close half of those that wait: the process has no descriptors left."""
        waiting = sorted((each for each in self._open if each.waits != ANSWER), key=lambda each: each.since)
        for each in waiting[: (len(waiting) + 1) // 2]:
            each.drop()

    def _make_room(self, among: set["Connection"], most: int, new: "Connection", where: str) -> None:
        if new.dropped or len(among) < most:
            return
        LOG.warning("more than %d connections %s; those that have waited longest are closed", most, where)
        waiting = [each for each in among if each.waits != ANSWER]
        min(waiting, key=lambda each: each.since, default=new).drop()


class Connection(H11Protocol):
    """uvicorn's connection, which knows what it waits for and since when. Its class is made by `Connections`."""

    all: Connections
    conn: "_Parser"
    waits = IDLE
    since = 0.0
    address = ""  # empty for this machine, whose tunnels and browsers share one
    dropped = False
    _unread = 0  # bytes that waited for the client at its last progress

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.conn = _Parser(h11.SERVER)

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Count it."""
        super().connection_made(transport)
        self.address = _counted(self.client[0]) if self.client else ""
        self.since = self.all.clock()
        self.all.admit(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Count it no more."""
        self.all.leave(self)
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Take some bytes."""
        if not self.dropped:
            super().data_received(data)
            self.look()

    def on_response_complete(self) -> None:
        """Wait for the next request; one that was sent before this answer has to be sent again."""
        if self.conn.trailing_data[0] and self.conn.their_state is h11.DONE:
            self.transport.close()  # browsers do not pipeline, and a flood in few connections would be first for long
        super().on_response_complete()
        self.look()

    def pause_writing(self) -> None:
        """Make nothing more for a client that does not read what waits for it."""
        super().pause_writing()
        self.look()

    def send_400_response(self, reason: str) -> None:
        """Say what is wrong with the request, and close the connection."""
        if self.conn.chunked:
            self._say(411, b"a request must say how long it is (content-length)")
            self._disconnect()
            return self.transport.close()
        super().send_400_response(reason)

    def look(self) -> None:
        """Bring `waits` and `since` up to date."""
        waits, unread = self._waits(), self.transport.get_write_buffer_size()
        progress = waits == READER and (unread > self._unread or self._unread - unread >= self.all.limits.read)
        if waits != self.waits or progress:
            self.waits, self.since, self._unread = waits, self.all.clock(), unread

    def expire(self) -> None:
        """Close it as its request was too slow; a client that has begun one is told so."""
        begun, self.dropped = self.waits != IDLE, True
        if begun and self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            LOG.warning("a request that did not arrive in time was given up")
            self._say(408, b"the request did not arrive in time")
        self._disconnect()
        self.transport.close()

    def drop(self) -> None:
        """Close it at once, whatever is still to be sent."""
        self.dropped = True
        self.all.leave(self)
        self._disconnect()
        self.transport.abort()

    def shutdown(self) -> None:
        """The server ends: wait for answers being made, and for nothing else."""
        self.look()
        if self.waits == ANSWER:
            super().shutdown()
        else:
            self.drop()

    def _waits(self) -> str:
        if self.transport.get_write_buffer_size():
            return READER
        if self.conn.their_state is h11.SEND_BODY:
            return BODY
        if self.cycle is not None and not self.cycle.response_complete:
            return ANSWER
        return HEADERS if self.conn.trailing_data[0] else IDLE

    def _say(self, status: int, line: bytes) -> None:
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(line)), (b"connection", b"close")]
        response = h11.Response(status_code=status, headers=headers, reason=STATUS_PHRASES[status])
        for event in (response, h11.Data(data=line), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))

    def _disconnect(self) -> None:
        """Tell the application that the client is gone."""
        self._unset_keepalive_if_required()
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()


class _Parser(h11.Connection):
    """h11, but without chunked requests: no browser sends them, and a chunk of one byte costs as much as a request."""

    chunked = False

    def next_event(self) -> Any:
        """The next part of a request. Errors: `h11.RemoteProtocolError`."""
        event = super().next_event()
        if isinstance(event, h11.Request) and any(name == b"transfer-encoding" for name, _ in event.headers):
            self.chunked = True
            raise h11.RemoteProtocolError("a request without a length")
        return event


def _counted(host: Any) -> str:
    """The address that connections are counted by: for IPv6 the network, as one machine has all of it."""
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return ""
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback:
        return ""
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)
