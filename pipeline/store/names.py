"""Names of files from strangers: which may be used as a path below a folder, on every system."""

from pathlib import PureWindowsPath
from typing import Any

MAX_PART, MAX_PATH = 255, 1024  # bytes: of most file systems, and of a key of S3


def is_path(name: Any) -> bool:
    """Whether `name` is text that names a file below a folder, with forward slashes, and never one elsewhere."""
    return isinstance(name, str) and len(name) <= MAX_PATH and all(is_part(part) for part in name.split("/"))


def is_part(name: Any) -> bool:
    """Whether `name` is text that names a file directly in a folder."""
    return (
        isinstance(name, str)
        and name not in ("", ".", "..")
        and name.isprintable()  # no control characters, no lone surrogates
        and "/" not in name
        and not PureWindowsPath(name).anchor
        and "\\" not in name
        and len(name.encode()) <= MAX_PART
    )
