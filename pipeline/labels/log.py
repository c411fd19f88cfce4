"""The label log: every label ever given, in an append-only file. A later row overrides an earlier one.

A picture that was once labelled for validation stays in the validation set: labels of it that are given later, on the
page or by folder, replace its label, and no classifier is ever trained on it.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock

from pipeline.dataset_names import dataset_flag
from pipeline.errors import DamagedState, UserError
from pipeline.store.atomic import write_whole
from pipeline.store.digest import is_digest
from pipeline.store.jsonl import dump_row, parse_row, timestamp

LABELS = ("on", "off", "unsure")
VALIDATION = "validation"  # the value of `set` in rows of the validation set; all other rows have no such field
LABEL_NAMES = {"on": "on target", "off": "off target", "unsure": "skip"}  # as people are shown them


@dataclass(frozen=True, kw_only=True)
class Label:
    """A row of the label log. `label` is 'on', 'off' or 'unsure' (skip); None withdraws an earlier label."""

    id: str  # of the picture: SHA-256 of its bytes, in hex
    label: str | None
    time: str  # ISO 8601, UTC
    how: str  # 'page', 'folder', 'seed', ...
    set: str = ""  # VALIDATION, or empty

    def row(self) -> dict[str, Any]:
        """The JSON object of the label."""
        return {name: value for name, value in asdict(self).items() if value or name != "set"}


@dataclass(frozen=True, kw_only=True)
class CurrentLabels:
    """The labels at one moment."""

    labels: dict[str, str]  # of each labelled picture, by id: 'on', 'off' or 'unsure'
    validation: frozenset[str]  # the ids of the pictures that were ever labelled for validation

    def for_validation(self) -> dict[str, str]:
        """The labels of the validation set."""
        return {id: label for id, label in self.labels.items() if id in self.validation}

    def others(self) -> dict[str, str]:
        """The labels that are not of the validation set."""
        return {id: label for id, label in self.labels.items() if id not in self.validation}


def label_problem(row: dict[str, Any]) -> str:
    """What is wrong with `row` as a label; empty if nothing is."""
    if not is_digest(row.get("id")):
        return f"id {row.get('id')!r} is not 64 hex digits"
    if "label" not in row or row["label"] not in (*LABELS, None):
        return f"label {row.get('label')!r} is none of {', '.join(LABELS)}, null"
    if row.get("set", "") not in ("", VALIDATION):
        return f"set {row.get('set')!r} is not {VALIDATION}"
    return ""


def repair_hint(path: Path) -> str:
    """What to do about a damaged log: a command to copy, with the name of the dataset."""
    command = f"python -m tasks labels repair{dataset_flag(path.parent.name)}"
    return f"`{command}` moves such lines to another file and keeps all others"


class LabelLog:
    """The file `labels.jsonl` of a dataset: one row {id, label, time, how} per line, with `set` for validation."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path.with_name(f".{path.name}.lock"))

    def locked(self) -> FileLock:
        """The lock to hold while appending; reentrant, for use in a `with` statement.

        It is a file of its own, because a repair replaces the log.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self._lock

    def append(self, labels: Mapping[str, str | None], *, how: str, set: str = "") -> int:
        """Append labels, by picture id, all or none; returns their number. With `set` VALIDATION they are only measured
        on.

        When this returns, the labels survive a crash of the machine (fsync). Other processes may append at the same
        time.

        Raises:
            DamagedState: the last line is truncated because a writer was killed.
            UserError: a value is invalid or the disk is full. In both cases the log is unchanged.
        """
        time = timestamp()
        rows = [Label(id=id, label=label, time=time, how=how, set=set).row() for id, label in labels.items()]
        if problems := [problem for row in rows if (problem := label_problem(row))]:
            raise UserError(f"{self.path}: nothing was added, {problems[0]}")
        if rows:
            with self.locked():
                self._check_end()
                self._write("".join(map(dump_row, rows)).encode())
        return len(rows)

    def rows(self) -> Iterator[Label]:
        """Yield every label in the order of the file; raises `DamagedState` naming the first invalid line."""
        for number, line in enumerate(self._lines(), start=1):
            yield parse_label(line, self.path, number)

    def effective(self) -> dict[str, str]:
        """The current label of each labelled picture, by id: 'on', 'off' or 'unsure'."""
        return self.current().labels

    def current(self) -> CurrentLabels:
        """The current labels, with the validation set."""
        latest, validation = {}, set()
        for row in self.rows():
            latest[row.id] = row.label
            if row.set == VALIDATION:
                validation.add(row.id)
        labels = {id: label for id, label in latest.items() if label is not None}
        return CurrentLabels(labels=labels, validation=frozenset(validation))

    def repair(self) -> int:
        """Move every unreadable line to the end of `labels.damaged.jsonl` next to the log; returns their number.

        All other lines keep their bytes and their order. If killed before the end, the log is unchanged.
        """
        if not self.path.exists():
            return 0
        with self.locked():
            lines = self._lines()
            damaged = [line for line in lines if not _is_readable(line)]
            if damaged:
                damaged_path = self.path.with_suffix(".damaged.jsonl")
                _append(damaged_path, b"".join(line.rstrip(b"\n") + b"\n" for line in damaged))
                write_whole(self.path, b"".join(line for line in lines if _is_readable(line)))
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
            raise DamagedState(
                f"{where}: cut short when a writer was killed; nothing was added. {repair_hint(self.path)}"
            )

    def _write(self, data: bytes) -> None:
        with self.path.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                _write_synced(file, data)
            except OSError as error:
                file.truncate(before)
                raise UserError(f"{self.path}: nothing was added ({error}); free some space and try again") from None


def parse_label(line: bytes, path: Path, number: int) -> Label:
    """Parse a line of the log; raises `DamagedState` naming the line and the command to repair it."""
    where = f"{path}, line {number}"
    try:
        row = parse_row(line, where)
    except DamagedState as error:
        raise DamagedState(f"{error}. {repair_hint(path)}") from None
    if problem := label_problem(row):
        raise DamagedState(f"{where}: {problem}. {repair_hint(path)}")
    return Label(
        id=row["id"],
        label=row["label"],
        time=str(row.get("time", "")),
        how=str(row.get("how", "")),
        set=row.get("set", ""),
    )


def _is_readable(line: bytes) -> bool:
    try:
        parse_label(line, Path(), 0)
    except DamagedState:
        return False
    return True


def _append(path: Path, data: bytes) -> None:
    with path.open("ab", buffering=0) as file:
        _write_synced(file, data)


def _write_synced(file: BinaryIO, data: bytes) -> None:
    """Write with a single call, so that a reader sees complete lines, and fsync."""
    if file.write(data) < len(data):
        raise OSError("the disk is full")
    os.fsync(file.fileno())
