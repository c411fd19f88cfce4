"""The files that the sources 'urls' and 'folder' read."""

from pathlib import Path

STANDARD_INPUT = "-"  # instead of a file of addresses


def files_below(folder: Path) -> list[Path]:
    """Every file below `folder`, sorted by its path, on every system alike."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(files, key=lambda path: path.relative_to(folder).as_posix())


def addresses_in(path: Path) -> list[str]:
    """The addresses in a file: one a line; empty lines and those that begin with # do not count."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def place(text: str) -> Path:
    """The absolute path that a user's text names; ~ is their home."""
    return Path(text).expanduser().resolve()
