"""What work depends on besides its inputs: the versions of Python, of packages and of this program.

Workers of another environment would give other results, or none: they are refused.
"""

import hashlib
import platform
from functools import cache
from importlib import metadata
from pathlib import Path

PACKAGES = ("distributed", "keras", "numpy", "opencv-python-headless", "Pillow", "scikit-learn", "tensorflow")
PROGRAM = Path(__file__).parents[1]


@cache
def environment() -> dict[str, str]:
    """The versions of this process, by name; that of the program is a digest of its source."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2])}
    found |= {name: metadata.version(name) for name in PACKAGES}
    return found | {"ganmill": _source_digest()}


def difference(mine: dict[str, str], other: dict[str, str]) -> str:
    """How the environment `other` differs from `mine`, in words; empty if it does not."""
    different = [name for name in mine if other.get(name) != mine[name]]
    return ", ".join(f"{name} {other.get(name, 'none')} where this machine has {mine[name]}" for name in different)


def _source_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(PROGRAM.rglob("*.py")):
        digest.update(f"{path.relative_to(PROGRAM).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:8]
