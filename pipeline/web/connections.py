"""Limits on connections of the web server: how many are open, and how long each may wait.

uvicorn 0.54 waits forever for the rest of a request, and for a client that does not read its response; and it accepts
connections until the process runs out of file descriptors. Here every wait has a timeout, and if there are too many
connections, the one that has waited longest is closed, so that a browser is served even during a flood.
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

from pipeline.web.security import is_upload

try:
    import resource
except ModuleNotFoundError:  # Windows, where sockets are not files
    resource = None  # type: ignore[assignment]  # every use checks for None

LOG = logging.getLogger("uvicorn.error")
WANTED_DESCRIPTORS = 1024  # to ask the system for; macOS gives 256 by default
DESCRIPTORS_PER_CONNECTION = 3  # the others are for files, runs, and sockets that are being closed

# What a connection is waiting for
IDLE, HEADERS, BODY, RESPONSE, CLIENT = "idle", "headers", "body", "answer", "reader"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits on connections; times in seconds."""

    connections: int = 256  # a browser opens six, and a flood should cost a few megabytes at most
    per_address: int = 64  # from one other machine: ten browsers behind one address
    headers: float = 10.0  # from a request's first byte to the end of its headers; nginx allows 60
    body: float = 30.0  # from there to its end: 1 MiB at 35 kB/s, a slow tunnel; an upload may lag behind so much
    upload_rate: float = 35_000.0  # bytes a second that an upload needs on average, however long it takes
    client: float = 30.0  # within which a client must read `client_bytes` of its response
    client_bytes: int = 16_000
    idle: float = 10.0  # before the first request; between two requests uvicorn's own 5 s apply
    burst: int = 32  # connections accepted before any of them is registered


def limits() -> Limits:
    """The default limits; fewer connections if the system allows few file descriptors, after asking it for more."""
    if resource is None:
        return Limits()
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed < WANTED_DESCRIPTORS and allowed != resource.RLIM_INFINITY:
        allowed = WANTED_DESCRIPTORS if most == resource.RLIM_INFINITY else min(WANTED_DESCRIPTORS, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    if allowed == resource.RLIM_INFINITY:
        return Limits()
    most = max(8, min(Limits.connections, allowed // DESCRIPTORS_PER_CONNECTION))
    return Limits(connections=most, burst=min(Limits.burst, most // 2))


class Connections:
    """All open connections. Not thread-safe: only the event loop calls it."""

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.clock = clock
        self.closed = False  # the server is shutting down: new connections are dropped
        self._open: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._open)

    def protocol(self) -> type["Connection"]:
        """The protocol class for uvicorn's `http` setting; its connections register here."""
        return type("Connection", (Connection,), {"registry": self})

    def add(self, connection: "Connection") -> None:
        """Register a connection; if there are too many, close the one that has waited longest, or the new one."""
        if self.closed:
            return connection.drop()
        if connection.address:
            same_address = {each for each in self._open if each.address == connection.address}
            self._make_room(same_address, self.limits.per_address, connection, f"from {connection.address}")
        self._make_room(self._open, self.limits.connections, connection, "at once")
        if not connection.dropped:
            self._open.add(connection)

    def remove(self, connection: "Connection") -> None:
        """Unregister a connection."""
        self._open.discard(connection)

    def close_expired(self) -> None:
        """Close the connections whose timeout is over."""
        now = self.clock()
        allowed = {IDLE: self.limits.idle, HEADERS: self.limits.headers, BODY: self.limits.body}
        for each in list(self._open):
            each.update_wait()
            if each.waiting_for == CLIENT and now - each.since > self.limits.client:
                each.drop()
            elif now - each.since > allowed.get(each.waiting_for, float("inf")):
                each.expire()

    def close_longest_waiting(self) -> None:
        """Close the half of the waiting connections that has waited longest, to free file descriptors."""
        waiting = sorted((each for each in self._open if each.waiting_for != RESPONSE), key=lambda each: each.since)
        for each in waiting[: (len(waiting) + 1) // 2]:
            each.drop()

    def _make_room(self, among: set["Connection"], limit: int, connection: "Connection", where: str) -> None:
        if connection.dropped or len(among) < limit:
            return
        LOG.warning("more than %d connections %s; those that have waited longest are closed", limit, where)
        waiting = [each for each in among if each.waiting_for != RESPONSE]
        min(waiting, key=lambda each: each.since, default=connection).drop()


class Connection(H11Protocol):
    """uvicorn's connection, with what it waits for and since when. `Connections.protocol` makes its class."""

    registry: Connections
    conn: "_RequestParser"
    waiting_for = IDLE
    since = 0.0
    address = ""  # empty for this machine, where tunnels and browsers share one
    dropped = False
    _arrived = 0  # bytes of an upload that `since` does not yet account for
    _unread = 0  # bytes in the write buffer when the client last read some

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.conn = _RequestParser(h11.SERVER)

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Register the connection."""
        super().connection_made(transport)
        self.address = address_key(self.client[0]) if self.client else ""
        self.since = self.registry.clock()
        self.registry.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Unregister the connection."""
        self.registry.remove(self)
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Process received bytes."""
        if not self.dropped:
            super().data_received(data)
            self._arrived += len(data)
            self.update_wait()

    def on_response_complete(self) -> None:
        """Wait for the next request; a request that was sent before this response is dropped."""
        if self.conn.trailing_data[0] and self.conn.their_state is h11.DONE:
            self.transport.close()  # browsers do not pipeline, and pipelined floods would occupy the server
        super().on_response_complete()
        self.update_wait()

    def pause_writing(self) -> None:
        """Pause while the client does not read its response."""
        super().pause_writing()
        self.update_wait()

    def send_400_response(self, reason: str) -> None:
        """Respond that the request is malformed, and close the connection."""
        if self.conn.chunked:
            self._respond(411, b"a request needs a content-length")
            self._disconnect()
            return self.transport.close()
        super().send_400_response(reason)

    def update_wait(self) -> None:
        """Update `waiting_for` and `since`."""
        waiting_for, unread = self._waits_for(), self.transport.get_write_buffer_size()
        progress = waiting_for == CLIENT and (
            unread > self._unread or self._unread - unread >= self.registry.limits.client_bytes
        )
        if waiting_for != self.waiting_for or progress:
            self.waiting_for, self.since, self._unread = waiting_for, self.registry.clock(), unread
        elif waiting_for == BODY and self._is_wanted() and _is_upload(self.scope):
            self._account_for_upload()
        self._arrived = 0

    def _is_wanted(self) -> bool:
        """Whether the application still waits for the body: a refused request has no right to be slow."""
        return self.cycle is not None and not self.cycle.response_complete

    def _account_for_upload(self) -> None:
        """Move `since` on by the time that the bytes which arrived may take; to now while the server does not read."""
        now = self.registry.clock()
        allowed = float("inf") if self.flow.read_paused else self._arrived / self.registry.limits.upload_rate
        self.since = min(now, self.since + allowed)

    def expire(self) -> None:
        """Close the connection because its request was too slow; a client that has begun a request gets status 408."""
        begun, self.dropped = self.waiting_for != IDLE, True
        if begun and self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            LOG.warning("a request timed out")
            self._respond(408, b"the request did not arrive in time")
        self._disconnect()
        self.transport.close()

    def drop(self) -> None:
        """Close the connection at once, without sending the rest."""
        self.dropped = True
        self.registry.remove(self)
        self._disconnect()
        self.transport.abort()

    def shutdown(self) -> None:
        """Shut down with the server: wait only for responses in progress."""
        self.update_wait()
        if self.waiting_for == RESPONSE:
            super().shutdown()
        else:
            self.drop()

    def _waits_for(self) -> str:
        if self.transport.get_write_buffer_size():
            return CLIENT
        if self.conn.their_state is h11.SEND_BODY:
            return BODY
        if self.cycle is not None and not self.cycle.response_complete:
            return RESPONSE
        return HEADERS if self.conn.trailing_data[0] else IDLE

    def _respond(self, status: int, line: bytes) -> None:
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


class _RequestParser(h11.Connection):
    """h11's parser without chunked requests: no browser sends them, and one-byte chunks cost as much as requests."""

    chunked = False

    def next_event(self) -> Any:
        """The next part of a request; raises `h11.RemoteProtocolError` for chunked requests."""
        event = super().next_event()
        if isinstance(event, h11.Request) and any(name == b"transfer-encoding" for name, _ in event.headers):
            self.chunked = True
            raise h11.RemoteProtocolError("a request without a content-length")
        return event


def _is_upload(scope: Any) -> bool:
    """Whether a request brings files, which take as long as its client's network needs for them."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return is_upload(scope["path"], headers)


def address_key(host: Any) -> str:
    """The address to count a client by: for IPv6 the /64 network, because one machine owns all of it; empty for this
    machine."""
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return ""
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback:
        return ""
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)
