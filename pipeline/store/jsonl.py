"""JSON lines: one flat object a line, UTF-8."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import DamagedState


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write `rows` to `path`, one JSON object a line, replacing what was there."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(dump_row(row) for row in rows)


def dump_row(row: dict[str, Any]) -> str:
    """One row as its line, newline included."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of `path`; raise `DamagedState` naming the first line that is not a whole JSON object."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            yield parse_row(line, f"{path}, line {number}")


def parse_row(line: bytes, where: str) -> dict[str, Any]:
    """The object that `line` holds; a line cut short, without its newline, counts as damaged even if it parses."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):  # brackets nested by the thousand
        row = None
    if not isinstance(row, dict) or not line.endswith(b"\n"):
        shown = line[:60].decode("utf-8", "replace").rstrip("\n")
        raise DamagedState(f"{where}: not a whole JSON object: {shown!r}")
    return row
