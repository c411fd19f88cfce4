"""The command `luigid`: Luigi's scheduler on this machine only, with its state, its history and a log that rotates.

Luigi's own `luigid` does the same, but its log grows without end unless it runs in the background.
"""

import errno
import logging
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from luigi import configuration

from pipeline.errors import UserError
from tasks.rotated_log import logging_to

FOLDER = Path("data") / "luigid"
LOG = FOLDER / "luigi-server.log"
PORT = 8082


def luigid(given: Namespace) -> int:
    """Serve Luigi's scheduler until ctrl-C."""
    from luigi import server  # loads Tornado, which only this command needs

    if not 0 < given.port < 65536:
        raise UserError(f"--port {given.port}: expected a number from 1 to 65535, for example {PORT}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    configuration.get_config().set("scheduler", "state_path", str(FOLDER / "state.pickle"))
    logging.getLogger().setLevel(logging.INFO)
    print(f"luigid: http://{given.host}:{given.port}  (ctrl-C ends it; its log is {LOG})", file=sys.stderr, flush=True)
    try:
        with logging_to(LOG):
            server.run(api_port=given.port, address=given.host)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            advice = f"give another one, as in --port {given.port + 1}"
            raise UserError(f"port {given.port} is in use; {advice}") from None
        raise UserError(f"cannot listen on {given.host}, port {given.port}: {error.strerror or error}") from None
    return 0


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.set_defaults(function=luigid)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s, this machine)")
    parser.add_argument("--port", type=int, default=PORT, help="port to listen on (default: %(default)s)")
