"""The install script in a bare Debian, in a folder: user, packages with their hashes, units, and a first command.

It needs root, debootstrap, and a mirror, whose address the environment gives: GANMILL_DEBIAN_MIRROR. What the
environment tells pip holds in that folder too.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.long
REPOSITORY = Path(__file__).parent.parent
MIRROR = os.environ.get("GANMILL_DEBIAN_MIRROR", "")
SUITE = os.environ.get("GANMILL_DEBIAN_SUITE", "bookworm")  # its Python is 3.11
# Locks between processes need it
SHARED_MEMORY = 'mkdir -p "$1/dev/shm" && mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm" && shift && exec "$@"'
PACKAGES = "python3-venv,ca-certificates"


def need(condition: bool, reason: str) -> None:
    if not condition:
        pytest.skip(reason)


@pytest.fixture(scope="module")
def debian() -> Iterator[Path]:
    """A bare Debian in a folder that every user may enter, with this project in /src."""
    need(os.geteuid() == 0, "needs root")
    need(shutil.which("debootstrap") is not None, "needs debootstrap, which is not installed")
    need(bool(MIRROR), "needs a mirror of Debian in GANMILL_DEBIAN_MIRROR")
    with tempfile.TemporaryDirectory(prefix="debian-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        fill(root)
        yield root


def fill(root: Path) -> None:
    """Make a bare Debian in `root`, and put what the install script needs into it."""
    words = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root), MIRROR]
    made = subprocess.run(words, capture_output=True, text=True, check=False)
    need(made.returncode == 0, f"debootstrap failed: {made.stdout[-300:]}{made.stderr[-300:]}")
    for name in ("pipeline", "tasks", "deploy"):
        shutil.copytree(REPOSITORY / name, root / "src" / name, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "src/models").mkdir()
    for pattern in ("models/*.json", "*.lock", "pyproject.toml", "*.md", "luigi.cfg"):
        for path in REPOSITORY.glob(pattern):
            shutil.copy(path, root / "src" / path.relative_to(REPOSITORY))
    for path in ("/etc/resolv.conf", "/etc/hosts", os.environ.get("PIP_CERT", "")):
        if path and Path(path).is_file():
            (root / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, root / path.lstrip("/"))


def inside(root: Path, *words: str, user: str = "root", code: int = 0) -> str:
    """Run a command in the folder, which has a /proc and processes of its own meanwhile; returns its output."""
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_") and name != "PIP_FIND_LINKS"}
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", **pip}
    alone = ["unshare", "--mount", "--pid", "--fork", f"--mount-proc={root / 'proc'}", "sh", "-c", SHARED_MEMORY, "sh"]
    chroot = ["chroot", f"--userspec={user}:{user}", str(root), *words]
    found = subprocess.run([*alone, str(root), *chroot], env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == code, f"{words}: {found.stdout[-2000:]}{found.stderr[-2000:]}"
    return found.stdout + found.stderr


def test_a_bare_machine_runs_the_demo_after_the_install_script(debian):
    said = inside(debian, "sh", "/src/deploy/install.sh")
    assert "installed: /opt/ganmill; working folder: /var/lib/ganmill" in said
    assert "ganmill:x:" in (debian / "etc/passwd").read_text()
    assert (debian / "etc/systemd/system/ganmill-nightly.timer").is_file()
    before = (debian / "opt/ganmill/.venv/bin/python").lstat().st_mtime_ns
    inside(debian, "sh", "/src/deploy/install.sh")  # again: nothing is made anew
    assert (debian / "opt/ganmill/.venv/bin/python").lstat().st_mtime_ns == before
    inside(debian, "sh", "/src/deploy/install.sh", "--python", "python3")  # of the same version: nor is it now
    assert (debian / "opt/ganmill/.venv/bin/python").lstat().st_mtime_ns == before
    run = "cd /var/lib/ganmill && exec /opt/ganmill/.venv/bin/python -m tasks"
    flags = "--until normalize --download-demo-pictures 20 --normalize-size 16 --normalize-processes 1"
    said = inside(debian, "sh", "-c", f"{run} run {flags}", user="ganmill")
    assert "pictures made 16 px squares" in said
    said = inside(debian, "sh", "-c", f"{run} nightly --subjects demo --steps refresh", user="ganmill")
    assert "1 done" in said
    assert (debian / "var/lib/ganmill/generated/nightly/latest/index.html").is_file()
