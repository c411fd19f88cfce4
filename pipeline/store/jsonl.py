"""JSON lines: one flat JSON object per line, UTF-8."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pipeline.errors import DamagedState


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write `rows` to `path`, one JSON object per line, replacing its content."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(dump_row(row) for row in rows)


def dump_row(row: dict[str, Any]) -> str:
    """The line of a row, with its newline."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of `path`; raises `DamagedState` naming the first line that is not a complete JSON object."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            yield parse_row(line, f"{path}, line {number}")


def parse_rows(data: bytes, where: str) -> list[dict[str, Any]]:
    """The rows in `data`; raises `DamagedState` as `read_rows`, naming `where`."""
    return [parse_row(line, f"{where}, line {number}") for number, line in enumerate(data.splitlines(True), start=1)]


def parse_row(line: bytes, where: str) -> dict[str, Any]:
    """Parse a line; a line without its newline was truncated and counts as damaged even if it parses."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):  # thousands of nested brackets
        row = None
    if not isinstance(row, dict) or not line.endswith(b"\n"):
        shown = line[:60].decode("utf-8", "replace").rstrip("\n")
        raise DamagedState(f"{where}: not a whole JSON object: {shown!r}")
    return row


def timestamp(timespec: str = "seconds") -> str:
    """The current time as rows have it: ISO 8601 in UTC, to the second or what `timespec` of `datetime` says."""
    return datetime.now(timezone.utc).isoformat(timespec=timespec)
