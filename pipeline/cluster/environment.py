"""What work depends on besides its inputs: the versions of Python, of packages and of this program.

Workers of another environment would give other results, or none: they are refused. Dask loads this module when a worker
starts (`distributed.worker.preload`), so that an update of the program under a running worker is noticed.
"""

import hashlib
import platform
from functools import cache
from importlib import metadata
from pathlib import Path

from pipeline.cluster.log_lines import print_plain_lines

PACKAGES = ("distributed", "keras", "numpy", "opencv-python-headless", "Pillow", "scikit-learn", "tensorflow")
REPOSITORY = Path(__file__).parents[2]
PROGRAM = ("pipeline", "tasks")


@cache
def environment_at_start() -> dict[str, str]:
    """The versions by name, as they were when this process first asked; that of the program is a digest of its code."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2])}
    found |= {name: metadata.version(name) for name in PACKAGES}
    return found | {"ganmill": _source_digest()}


def environment() -> dict[str, str]:
    """The versions of this process, a worker. What it has not loaded yet it would load from another source, if that has
    changed since it started: then its version of the program says so, and is that of no run.
    """
    found = environment_at_start()
    if (now := _source_digest()) != found["ganmill"]:
        return found | {"ganmill": f"{found['ganmill']} (now {now})"}
    return found


def difference(mine: dict[str, str], other: dict[str, str]) -> str:
    """How the environment `other` differs from `mine`, in words; empty if it does not."""
    different = [name for name in mine if other.get(name) != mine[name]]
    return ", ".join(f"{name} {other.get(name, 'none')} where this machine has {mine[name]}" for name in different)


def dask_setup(worker: object) -> None:
    """Note the versions when a `worker` starts, and let it print plain lines; Dask calls this."""
    environment_at_start()
    print_plain_lines()


def _source_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(path for name in PROGRAM for path in (REPOSITORY / name).rglob("*.py")):
        digest.update(f"{path.relative_to(REPOSITORY).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:8]
