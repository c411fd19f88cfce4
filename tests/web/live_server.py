"""A server in its own process, which a test can kill: `python -m tests.web.live_server FOLDER PORT COMMAND...`."""

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import IO

from tests.web.fake_dataset import FakeDataset

REPOSITORY = Path(__file__).parent.parent.parent
PATIENCE = 30.0  # seconds for a server to start


class LiveServer:
    """The label page of a fake dataset on this machine."""

    def __init__(self, fake_dataset: FakeDataset, *command: str) -> None:
        self.fake_dataset = fake_dataset
        self.command = command
        self.port = free_port()
        self.process: subprocess.Popen | None = None
        self.folder: Path | None = None  # the working folder, for tests in which real commands run

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def page(self) -> str:
        return f"{self.address}/d/{self.fake_dataset.dataset}/label"

    def start(self, *, files: int = 0, said: IO[bytes] | None = None) -> "LiveServer":
        """Start the server with at most `files` open files and its console in `said`, and wait until it responds."""
        words = [
            sys.executable,
            "-m",
            "tests.web.live_server",
            str(self.fake_dataset.folder),
            str(self.port),
            *self.command,
        ]
        if files:  # the limit is the process's, so a shell sets it
            words = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *words]
        self.process = subprocess.Popen(words, cwd=self.folder or REPOSITORY, stdin=subprocess.DEVNULL, stderr=said)
        for _ in range(int(PATIENCE / 0.1)):
            assert self.process.poll() is None, "the server ended at once"
            try:
                with urllib.request.urlopen(f"{self.address}/static/icon.svg", timeout=5):
                    return self
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the server does not respond")

    def kill(self) -> None:
        """Kill it with SIGKILL: it cannot save anything."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def main(folder: str, port: str, *command: str) -> None:
    from pipeline.web.security import AccessRules
    from pipeline.web.server import serve

    fake_dataset = FakeDataset(Path(folder))
    serve(fake_dataset.site(*command), AccessRules(host="127.0.0.1", port=int(port)), ready=lambda: None)


if __name__ == "__main__":
    main(*sys.argv[1:])
