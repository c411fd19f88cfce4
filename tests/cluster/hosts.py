"""Hosts as network namespaces, which share nothing but an S3 server."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
BRIDGE, NETWORK = "gm-bridge", "10.77.0"
PATIENCE = 120.0  # seconds for what has to happen


class Host:
    """A network namespace with a working folder of its own; it does not see the folders of other hosts."""

    def __init__(self, number: int, folder: Path, environment: dict[str, str], hidden: Path) -> None:
        self.name, self.address, self.link = f"gm-{number}", f"{NETWORK}.{number + 1}", f"gm-link-{number}"
        self.folder, self.hidden = folder, hidden
        self.environment = os.environ | environment | {"PYTHONPATH": str(REPOSITORY), "TMPDIR": str(folder / "tmp")}
        self.started: list[subprocess.Popen[str]] = []
        (folder / "tmp").mkdir(parents=True)

    def start(self, *words: str, log: str) -> subprocess.Popen[str]:
        """Start `python -m tasks` with `words`; its output goes into the file `log` of the host's folder."""
        hide = f'mount --bind "$PWD" /mnt && mount -t tmpfs none "{self.hidden}"'
        show = 'mkdir -p "$PWD" && mount --bind /mnt "$PWD" && cd "$PWD"'
        command = f'{hide} && {show} && exec "$0" -m tasks "$@"'
        with (self.folder / log).open("w") as file:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self.name, "unshare", "--mount", "sh", "-c", command, sys.executable, *words],
                cwd=self.folder,
                env=self.environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def read(self, log: str) -> str:
        """What is in the file `log`."""
        return (self.folder / log).read_text(errors="replace")

    def cut(self) -> None:
        """Take the network away."""
        run("ip", "link", "set", self.link, "down")

    def mend(self) -> None:
        """Give the network back."""
        run("ip", "link", "set", self.link, "up")


def run(*words: str) -> None:
    """Run a command."""
    subprocess.run(words, check=True, capture_output=True)


@contextmanager
def network(count: int) -> Iterator[str]:
    """A bridge with `count` namespaces; gives the address of this machine on it. Skips without the right to make it."""
    if os.geteuid() or not shutil.which("ip") or not shutil.which("unshare"):
        pytest.skip("needs root, iproute2 and util-linux for network namespaces")
    _remove(count)  # what a killed test left
    try:
        run("ip", "link", "add", BRIDGE, "type", "bridge")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no bridge can be made here: {error.stderr.decode().strip()}")
    try:
        run("ip", "addr", "add", f"{NETWORK}.1/24", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        for number in range(1, count + 1):
            _connect(f"gm-{number}", f"gm-link-{number}", f"{NETWORK}.{number + 1}")
        yield f"{NETWORK}.1"
    finally:
        _remove(count)


def _remove(count: int) -> None:
    commands = [["ip", "netns", "del", f"gm-{number}"] for number in range(1, count + 1)]
    commands += [["ip", "link", "del", f"gm-link-{number}"] for number in range(1, count + 1)]
    for words in (*commands, ["ip", "link", "del", BRIDGE]):
        subprocess.run(words, check=False, capture_output=True)


def _connect(name: str, link: str, address: str) -> None:
    run("ip", "netns", "add", name)
    run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
    run("ip", "link", "set", link, "master", BRIDGE, "up")
    run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
    for device in ("eth0", "lo"):
        run("ip", "-n", name, "link", "set", device, "up")


def wait_for(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Wait until `condition()` holds; fail with `what` if it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)
