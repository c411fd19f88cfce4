"""The label log: every label ever given, append-only. A later row overrides an earlier one."""

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock

from pipeline.errors import DamagedState, UserError
from pipeline.store.atomic import write_whole
from pipeline.store.digest import is_digest
from pipeline.store.jsonl import dump_row, parse_row

VALUES = ("on", "off", "unsure")


@dataclass(frozen=True, kw_only=True)
class Label:
    """A row of the label log. `label` is 'on', 'off' or 'unsure'; None takes an earlier label back."""

    id: str  # the picture's: SHA-256 of its raw bytes, in hex
    label: str | None
    time: str  # ISO 8601, UTC
    how: str  # 'page', 'folder', 'seed', ...

    def row(self) -> dict[str, Any]:
        """The JSON object that stands for it in the log."""
        return asdict(self)


def fault(row: dict[str, Any]) -> str:
    """What is wrong with `row` as a label, in words; empty when nothing is."""
    if not is_digest(row.get("id")):
        return f"id {row.get('id')!r} is not 64 hex digits"
    if "label" not in row or row["label"] not in (*VALUES, None):
        return f"label {row.get('label')!r} is none of {', '.join(VALUES)}, null"
    return ""


def now() -> str:
    """This moment, as labels write it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


USUAL = "demo"  # the dataset that commands take where none is named


def way_out(path: Path) -> str:
    """What to do about a damaged log: a command that can be copied, with the name of the dataset."""
    return f"`python -m tasks labels repair{flag(path.parent.name)}` sets such lines aside and keeps all others"


def flag(dataset: str) -> str:
    """What a command needs at its end to be about `dataset`."""
    return "" if dataset == USUAL else f" --dataset {shlex.quote(dataset)}"


class LabelLog:
    """The file `labels.jsonl` of a dataset: one row {id, label, time, how} a line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path.with_name(f".{path.name}.lock"))

    def locked(self) -> FileLock:
        """Held while this process writes; whoever holds it may append. Used in a `with`, also within another one.

        A file of its own: a repair puts another file in the place of the log.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self._lock

    def append(self, given: Mapping[str, str | None], *, how: str) -> int:
        """Put the labels `given`, by picture id, on the disk, all or none; returns how many.

        When this returns they outlast a crash of the machine. Other processes may append at the same time.
        Errors: `DamagedState` if a killed writer left the last line unfinished, `UserError` for a wrong value or a
        full disk; either way the log is as it was.
        """
        time = now()
        rows = [Label(id=id, label=label, time=time, how=how).row() for id, label in given.items()]
        if wrong := [found for row in rows if (found := fault(row))]:
            raise UserError(f"{self.path}: nothing was added, {wrong[0]}")
        if rows:
            with self.locked():
                self._check_end()
                self._write("".join(map(dump_row, rows)).encode())
        return len(rows)

    def rows(self) -> Iterator[Label]:
        """Yield every label in the order of the file; raise `DamagedState` naming the first line that is none."""
        for number, line in enumerate(self._lines(), start=1):
            yield parse(line, self.path, number)

    def effective(self) -> dict[str, str]:
        """The labels that hold now, by picture id: 'on', 'off' or 'unsure'. Those taken back are not in it."""
        latest = {row.id: row.label for row in self.rows()}
        return {id: label for id, label in latest.items() if label is not None}

    def repair(self) -> int:
        """Move every unreadable line to the end of `labels.damaged.jsonl` beside the log; returns how many there were.

        All other lines stay byte for byte, in their order. Killed half way, it leaves the log as it was.
        """
        if not self.path.exists():
            return 0
        with self.locked():
            lines = self._lines()
            damaged = [line for line in lines if not _readable(line)]
            if damaged:
                _add(self.path.with_suffix(".damaged.jsonl"), b"".join(line.rstrip(b"\n") + b"\n" for line in damaged))
                write_whole(self.path, b"".join(line for line in lines if _readable(line)))
        return len(damaged)

    def _lines(self) -> list[bytes]:
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            return list(file)

    def _check_end(self) -> None:
        if not self.path.exists() or not self.path.stat().st_size:
            return
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            whole = file.read() == b"\n"
        if not whole:
            where = f"{self.path}, line {len(self._lines())}"
            raise DamagedState(f"{where}: cut short when a writer was killed; nothing was added. {way_out(self.path)}")

    def _write(self, data: bytes) -> None:
        with self.path.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                _put(file, data)
            except OSError as error:
                file.truncate(before)
                raise UserError(f"{self.path}: nothing was added ({error}); free some space and try again") from None


def parse(line: bytes, path: Path, number: int) -> Label:
    """The label in a line of the log; `DamagedState` that names the line and the way out if it is none."""
    where = f"{path}, line {number}"
    try:
        row = parse_row(line, where)
    except DamagedState as error:
        raise DamagedState(f"{error}. {way_out(path)}") from None
    if wrong := fault(row):
        raise DamagedState(f"{where}: {wrong}. {way_out(path)}")
    return Label(id=row["id"], label=row["label"], time=str(row.get("time", "")), how=str(row.get("how", "")))


def _readable(line: bytes) -> bool:
    try:
        parse(line, Path(), 0)
    except DamagedState:
        return False
    return True


def _add(path: Path, data: bytes) -> None:
    with path.open("ab", buffering=0) as file:
        _put(file, data)


def _put(file: BinaryIO, data: bytes) -> None:
    """One write, so that a reader sees whole lines, and onto the disk."""
    if file.write(data) < len(data):
        raise OSError("the disk is full")
    os.fsync(file.fileno())
