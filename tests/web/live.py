"""A server in a process of its own, which a test can kill: `python -m tests.web.live HOME PORT COMMAND...`."""

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import IO

from tests.web.drawn_home import DrawnHome

REPOSITORY = Path(__file__).parent.parent.parent
PATIENCE = 30.0  # seconds for a server to start


class Live:
    """A label page of a drawn home, on this machine."""

    def __init__(self, home: DrawnHome, *command: str) -> None:
        self.home = home
        self.command = command
        self.port = free_port()
        self.process: subprocess.Popen | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def page(self) -> str:
        return f"{self.address}/d/{self.home.dataset}/"

    def start(self, *, files: int = 0, said: IO[bytes] | None = None) -> "Live":
        """Start it, with at most so many open files and its console in `said`, and wait until it answers."""
        words = [sys.executable, "-m", "tests.web.live", str(self.home.folder), str(self.port), *self.command]
        if files:  # the limit is the process's, so a shell sets it
            words = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *words]
        self.process = subprocess.Popen(words, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stderr=said)
        for _ in range(int(PATIENCE / 0.1)):
            assert self.process.poll() is None, "the server ended at once"
            try:
                with urllib.request.urlopen(f"{self.address}/static/icon.svg", timeout=5):
                    return self
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the server does not answer")

    def kill(self) -> None:
        """As the machine's own fault would: no time to put anything away."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def main(folder: str, port: str, *command: str) -> None:
    from pipeline.web.security import Rules
    from pipeline.web.server import serve

    home = DrawnHome(Path(folder))
    serve(home.site(*command), Rules(host="127.0.0.1", port=int(port)), ready=lambda: None)


if __name__ == "__main__":
    main(*sys.argv[1:])
