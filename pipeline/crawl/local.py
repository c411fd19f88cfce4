"""The files that the sources 'urls' and 'folder' read."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import UserError
from pipeline.text import plain

LONGEST_LINE = 100_000  # bytes; a line that is longer is cut, and too long for an address either way
STANDARD_INPUT = "-"  # instead of a file of addresses


def files_below(folder: Path) -> list[Path]:
    """Every file below `folder`, sorted by its path, on every system alike."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(files, key=lambda path: path.relative_to(folder).as_posix())


def addresses_in(path: Path) -> Iterator[str]:
    """The addresses in a file: one a line; empty lines and those that begin with # do not count."""
    with path.open("rb") as file:
        for data in _lines(file):
            for line in data.decode("utf-8-sig", "replace").splitlines():
                if line.strip() and not line.strip().startswith("#"):
                    yield line.strip()


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, each as far as it may be long."""
    whole = True
    while data := file.readline(LONGEST_LINE):
        if whole:
            yield data
        whole = data.endswith(b"\n")


def place(text: str) -> Path:
    """The absolute path that a user's text names; ~ is their home."""
    try:
        return Path(text).expanduser().resolve()
    except RuntimeError:
        raise UserError(f"{plain(text, 200)}: there is no user of that name, or no home; give the whole path") from None
