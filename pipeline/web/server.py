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
from pipeline.web.connections import LOG, Connections, limits
from pipeline.web.dataset_paths import Site
from pipeline.web.routes import make_app
from pipeline.web.security import Rules

UNREAD = 1 << 17  # bytes that the system holds for a client that does not read; Linux would let it grow to megabytes
QUEUE = 1024  # connections that the system holds for us while we are busy
GRACE = 5  # seconds that answers being made may take once the server was asked to end
NO_ROOM = (errno.EMFILE, errno.ENFILE)


def serve(site: Site, rules: Rules, *, ready: Callable[[], None], first: str = "") -> None:
    """Answer requests until ctrl-C; `ready` is called once they are answered. `first` will be asked for first.

    Errors: `UserError` when the port is taken or the address is not this machine's.
    """
    with listen(rules.host, rules.port) as listener:
        app = make_app(site, rules, first=first)
        with suppress(KeyboardInterrupt):  # the usual way to end it
            Server(app, Connections(limits()), ready).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on `host` and `port`."""
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
    # Named as TCP, as asyncio turns Nagle's delay off for no other; it would cost 40 ms for every square
    named = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=listener.detach())
    named.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD)  # of all that it accepts
    return named


class Server(uvicorn.Server):
    """uvicorn with our limits on connections."""

    def __init__(self, app: Any, connections: Connections, ready: Callable[[], None]) -> None:
        super().__init__(_config(app, connections))
        self._connections = connections
        self._ready = ready
        seldom = Seldom()
        for name in (LOG.name, "asyncio"):
            logging.getLogger(name).addFilter(seldom)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(self._fault)
        await super().startup(sockets)
        for each in sockets or ():
            each.listen(QUEUE)
        self._ready()

    async def on_tick(self, counter: int) -> bool:
        if counter % 5 == 0:  # twice a second
            self._connections.sweep()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._connections.closed = True
        await super().shutdown(sockets)

    def _fault(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Where there are no descriptors left, asyncio says so for each connection that it would take."""
        if getattr(context.get("exception"), "errno", None) not in NO_ROOM:
            return loop.default_exception_handler(context)
        LOG.warning("no more files can be opened; the connections that have waited longest are closed")
        self._connections.relieve()


def _config(app: Any, connections: Connections) -> uvicorn.Config:
    allowed = connections.limits
    return uvicorn.Config(
        app,
        http=connections.protocol(),
        ws="none",  # a web socket would leave the protocol that has the limits
        loop="asyncio",
        lifespan="off",
        log_level="warning",
        access_log=False,  # an address may hold the token
        limit_concurrency=2 * allowed.connections,  # answers being made for clients that are gone count too
        backlog=allowed.burst,  # asyncio accepts so many before it looks at any
        timeout_graceful_shutdown=GRACE,
    )


EVERY = 60.0  # seconds between two lines of one kind
KINDS = 100  # that are remembered


class Seldom(logging.Filter):
    """Lets the first line of each kind through, and one a minute after it with the number of those between."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.clock = clock
        self._last: dict[tuple, float] = {}
        self._left_out: dict[tuple, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be shown."""
        kind, now = _kind(record), self.clock()
        if now - self._last.get(kind, -EVERY) < EVERY:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return False
        if len(self._last) >= KINDS:
            self._last.clear()
        self._last[kind] = now
        if left_out := self._left_out.pop(kind, 0):
            record.msg, record.args = f"{record.getMessage().rstrip()} (and {left_out} times since the last line)", None
        return True


def _kind(record: logging.LogRecord) -> tuple[Any, ...]:
    """Records are of one kind that were written at one place, of one fault."""
    error = record.exc_info[1] if record.exc_info else None
    trace = error.__traceback__ if error else None
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = (trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace else ()
    return (record.name, record.pathname, record.lineno, type(error), place)
