"""Listening: a socket that is ours before anything is said, and the server on it."""

import errno
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from pipeline.errors import UserError
from pipeline.web.app import make_app
from pipeline.web.guard import Rules
from pipeline.web.place import Site


def serve(site: Site, rules: Rules, *, ready: Callable[[], None], first: str = "") -> None:
    """Answer requests until ctrl-C; `ready` is called once they are answered. `first` will be asked for first.

    Errors: `UserError` when the port is taken or the address is not this machine's.
    """
    with listen(rules.host, rules.port) as listener:
        # No access log: an address may hold the token
        app = make_app(site, rules, first=first)
        server = _Server(uvicorn.Config(app, access_log=False, log_level="warning", lifespan="off"), ready)
        with suppress(KeyboardInterrupt):  # the usual way to end it
            server.run(sockets=[listener])


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
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=listener.detach())


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()
