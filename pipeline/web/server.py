"""Start the web server: bind the socket first, then serve. Repeated log lines are limited to one a minute."""

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import uvicorn

from pipeline.errors import UserError
from pipeline.web.app import app_of
from pipeline.web.connections import LOG, Connections, limits
from pipeline.web.dataset_paths import Site
from pipeline.web.security import AccessRules
from pipeline.web.studio import Studio

SEND_BUFFER = 1 << 17  # bytes that the system buffers for a slow client; Linux would allow megabytes
QUEUE = 1024  # connections that the system queues while the server is busy
SHUTDOWN_SECONDS = 5  # for responses in progress
TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)


def serve(site: Site, access_rules: AccessRules, *, ready: Callable[[], None], first: str = "") -> None:
    """Serve requests until ctrl-C.

    Args:
        site: The datasets.
        access_rules: Who may send requests.
        ready: Called when the server accepts requests.
        first: The dataset to load first.

    Raises:
        UserError: If the port is in use, or the address does not belong to this machine.
    """
    with listen(access_rules.host, access_rules.port) as listener:
        connections, studio = Connections(limits()), Studio(site, access_rules)
        studio.streams.most = min(studio.streams.most, connections.limits.connections // 4)
        app = app_of(studio, first=first)
        studio.jobs.start()
        studio.styles.start()
        with suppress(KeyboardInterrupt):  # the usual way to end it
            Server(app, connections, ready, closing=studio.shut_down).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """Open a socket that listens on `host` and `port`; raises `UserError`."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
    except socket.gaierror:
        raise UserError(f"--host {host}: this machine does not know that name or address") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(f"port {port} is in use; give another one, as in --port {port + 1}") from None
        raise UserError(f"cannot listen on {host}, port {port}: {error.strerror}") from None
    except OverflowError:
        raise UserError(f"--port {port}: expected a number from 0 to 65535") from None
    # Declared as TCP, because asyncio disables Nagle's algorithm only then; it would add 40 ms to every square
    named = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=listener.detach())
    named.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)  # accepted connections inherit it
    return named


class Server(uvicorn.Server):
    """uvicorn with limits on connections."""

    def __init__(
        self,
        app: Any,
        connections: Connections,
        ready: Callable[[], None],
        *,
        closing: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(_config(app, connections))
        self._closing = closing
        self._connections = connections
        self._ready = ready
        repeated_lines = RepeatedLineFilter()
        for name in (LOG.name, "asyncio"):
            logging.getLogger(name).addFilter(repeated_lines)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(self._handle_loop_error)
        await super().startup(sockets)
        for each in sockets or ():
            each.listen(QUEUE)
        self._ready()

    async def on_tick(self, counter: int) -> bool:
        if counter % 5 == 0:  # twice a second
            self._connections.close_expired()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._connections.closed = True
        self._closing()
        await super().shutdown(sockets)

    def _handle_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Free file descriptors when asyncio reports that it cannot accept a connection without them."""
        if getattr(context.get("exception"), "errno", None) not in TOO_MANY_FILES:
            return loop.default_exception_handler(context)
        LOG.warning("no more files can be opened; the connections that have waited longest are closed")
        self._connections.close_longest_waiting()


def _config(app: Any, connections: Connections) -> uvicorn.Config:
    allowed = connections.limits
    return uvicorn.Config(
        app,
        http=connections.protocol(),
        ws="none",  # web sockets would bypass the limits on connections
        loop="asyncio",
        lifespan="off",
        log_level="warning",
        access_log=False,  # addresses may contain the token
        limit_concurrency=2 * allowed.connections,  # includes responses to clients that are gone
        backlog=allowed.burst,  # asyncio accepts this many before it handles any
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )


LOG_INTERVAL = 60.0  # seconds between two lines of one kind
MAX_KINDS = 100  # remembered


class RepeatedLineFilter(logging.Filter):
    """Passes the first log line of each kind, then one a minute with the number of those left out."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.clock = clock
        self._last: dict[tuple, float] = {}
        self._left_out: dict[tuple, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        kind, now = _record_kind(record), self.clock()
        if now - self._last.get(kind, -LOG_INTERVAL) < LOG_INTERVAL:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return False
        if len(self._last) >= MAX_KINDS:
            self._last.clear()
        self._last[kind] = now
        if left_out := self._left_out.pop(kind, 0):
            record.msg, record.args = f"{record.getMessage().rstrip()} (and {left_out} times since the last line)", None
        return True


def _record_kind(record: logging.LogRecord) -> tuple[Any, ...]:
    """Records are of one kind if they come from the same line of code, with the same exception."""
    error = record.exc_info[1] if record.exc_info else None
    trace = error.__traceback__ if error else None
    while trace and trace.tb_next:
        trace = trace.tb_next
    location = (trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace else ()
    return (record.name, record.pathname, record.lineno, type(error), location)
