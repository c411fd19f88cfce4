"""Stars, names and notes that people give to runs and trainings: data/<dataset>/notes.jsonl.

A row for each change, with the whole note as it is from then on; the last row of each run or training counts. So people
can read the file, and nothing is ever lost.
"""

import os
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from pipeline.errors import DamagedState, UserError
from pipeline.store.jsonl import dump_row, parse_row, timestamp
from pipeline.text import to_plain_line

FILE = "notes.jsonl"
RUN, TRAINING = "run", "training"
LONGEST_ID = 100
LONGEST_NAME, LONGEST_NOTE = 80, 2000  # characters
LARGEST = 8 << 20  # bytes of the file: some 20,000 changes


@dataclass(frozen=True, kw_only=True)
class Note:
    """What people said about one run or training."""

    star: bool = False
    name: str = ""
    note: str = ""


NONE = Note()
Notes = dict[tuple[str, str], Note]  # by kind and id


def read_notes(folder: Path) -> Notes:
    """All notes in the folder of a dataset, by kind and id; do not change it. Lines that are damaged are left out."""
    path = folder / FILE
    try:
        stat = path.stat()
    except OSError:
        return {}
    return _read(path, stat.st_mtime_ns, stat.st_size)


def change_note(
    folder: Path, kind: str, id: str, *, star: bool | None = None, name: str | None = None, note: str | None = None
) -> Note:
    """Change what is given of a note, write it to the disk (fsync), and return the note as it is now.

    Errors: a `UserError` if the file would get too large; `OSError` of a disk that does not take it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{FILE}.lock"):
        known = read_notes(folder).get((kind, id), NONE)
        changed = Note(
            star=known.star if star is None else star,
            name=known.name if name is None else _line(name),
            note=known.note if note is None else _lines(note),
        )
        if changed != known:
            _append(folder / FILE, {"kind": kind, "id": id, **asdict(changed), "time": timestamp()})
    return changed


@lru_cache(maxsize=40)  # a file is small, and each dataset has one
def _read(path: Path, modified: int, size: int) -> Notes:
    found: Notes = {}
    with path.open("rb") as file:
        for line in file.read(LARGEST).splitlines(keepends=True):
            try:
                row = parse_row(line, FILE)
                key, note = (row["kind"], row["id"]), Note(star=row["star"], name=row["name"], note=row["note"])
            except (DamagedState, KeyError):
                continue
            if _is_valid(key, note):
                found[key] = replace(note, name=_line(note.name), note=_lines(note.note))
    return found


def _is_valid(key: tuple[Any, Any], note: Note) -> bool:
    """Whether a person who edited the file left the types as they were."""
    texts = (*key, note.name, note.note)
    return isinstance(note.star, bool) and all(isinstance(text, str) for text in texts) and len(key[1]) <= LONGEST_ID


def _append(path: Path, row: dict[str, Any]) -> None:
    """Append `row` in one write; a line that a killed writer left incomplete does not swallow it."""
    data = dump_row(row).encode("utf-8", "replace")
    with path.open("a+b", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        if end + len(data) > LARGEST:
            raise UserError(f"{path}: has {LARGEST >> 20} MiB; keep only the last line of each run and training in it")
        if end:
            file.seek(-1, os.SEEK_END)
            data = data if file.read(1) == b"\n" else b"\n" + data
        if file.write(data) < len(data):
            file.truncate(end)
            raise UserError(f"{path}: the disk is full; nothing was saved")
        os.fsync(file.fileno())


def _line(text: str) -> str:
    return to_plain_line(text, LONGEST_NAME).strip()


def _lines(text: str) -> str:
    lines = text[:LONGEST_NOTE].splitlines()
    return "\n".join(to_plain_line(line, LONGEST_NOTE).rstrip() for line in lines).strip()
