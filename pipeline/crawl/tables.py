"""Tables that others write, read row by row: CSV, TSV, JSON lines and Parquet; the texts may be gzipped.

A table may come from a stranger and may be damaged or hostile. Memory holds a row or a small batch at a time, and lines
and what a gzip file expands to have limits. Rows that cannot be read are counted, and the others are used.
"""

import codecs
import csv
import gzip
import json
import math
import zlib
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from itertools import chain, islice
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from pipeline.crawl.columns import Columns, as_text
from pipeline.errors import UserError
from pipeline.text import counted, to_plain_line

TEXT_SUFFIXES = {".csv": "csv", ".tsv": "csv", ".jsonl": "json", ".ndjson": "json", ".json": "json"}
PARQUET = ".parquet"  # compressed within
DELIMITERS = ",\t;"
MAX_LINE_BYTES = 100_000  # of a line, and of a record of several lines; longer ones are too long for a URL in any case
MAX_LINES = 40_000_000  # of any kind, also empty ones
MAX_EXPANDED_BYTES = 1 << 34  # that are read of a gzip file; a million rows have some hundred MB
MAX_SHOWN = 200  # characters of the first fault
GZIP = b"\x1f\x8b"
NAMED_ROWS = 100  # JSON objects whose fields are the columns of a file
MAX_SHAPES = 100  # sets of names of JSON fields that are remembered
MAX_REPEATED_BYTES = 100_000_000  # of a CSV file that are read again after a quote without an end, some seconds
OPEN = "has a quote that is not closed"
LONG = f"is longer than {MAX_LINE_BYTES // 1000} kB"
DAMAGED = "the rest cannot be read, the file is damaged"
_UNREADABLE = (OSError, EOFError, zlib.error)  # gzip raises all of them for a damaged file

Row = Mapping[str, str]  # text by field


@dataclass
class Faults:
    """What of a file could not be read: how many rows, the first of them and why, and why reading ended early."""

    rows: int = 0
    first: str = ""
    end: str = ""
    noun: str = "row"

    def add(self, place: str, reason: str, rows: int = 1) -> None:
        """Count a row that cannot be used, or several of which this is the first."""
        self.rows += rows
        self.first = self.first or to_plain_line(f"{place} {reason}", MAX_SHOWN)

    def include(self, other: "Faults", where: str) -> None:
        """Add what could not be read of another file, which is called `where`."""
        self.rows += other.rows
        if other.first and not self.first:
            self.first = to_plain_line(f"{where}, {other.first}", MAX_SHOWN)
        if other.end and not self.end:
            self.end = to_plain_line(f"{where}: {other.end}", MAX_SHOWN)

    def words(self) -> str:
        """All of it in words, for a notice; empty if everything was read."""
        rows = f"{counted(self.rows, self.noun)} could not be used, the first: {self.first}" if self.rows else ""
        return "; ".join(filter(None, (rows, self.end)))


class Line(NamedTuple):
    """A line of a file, with its number from 1. Of a line that is too long only the beginning is kept."""

    number: int
    data: bytes
    is_whole: bool


def table_kind(path: Path) -> str:
    """`csv`, `json` or `parquet`, by the name of a file; empty for any other."""
    name = path.name.lower()
    if name.endswith(PARQUET):
        return "parquet"
    return TEXT_SUFFIXES.get(PurePath(name.removesuffix(".gz")).suffix, "")


def read_table(path: Path, columns: Columns, fields: Iterable[str], faults: Faults) -> Iterator[tuple[str, Row]]:
    """Yield where each row is (`line 7`), and the texts of those of its `fields` that have a column.

    Rows that cannot be read are added to `faults`. Errors: `OSError` if the file cannot be opened; `UserError` if it
    is Parquet and pyarrow is not installed.
    """
    fields = tuple(fields)
    if table_kind(path) == "parquet":
        from pipeline.crawl.parquet import read_parquet  # pyarrow is an extra

        return read_parquet(path, columns, fields, faults)
    read = _read_json if table_kind(path) == "json" else _read_csv
    return read(path, columns, fields, faults)


def column_names(path: Path, faults: Faults | None = None) -> list[str]:
    """The names of the columns of a table; of JSON lines those of the first objects. Errors: as of `read_table`.

    What cannot be read on the way is added to `faults`.
    """
    faults = faults or Faults()
    if table_kind(path) == "parquet":
        from pipeline.crawl.parquet import parquet_columns

        return parquet_columns(path)
    with open_lines(path, faults) as lines:
        if table_kind(path) == "csv":
            return _header(_records(lines, faults))
        objects = (row for _, row in _objects(lines, faults))
        return [*dict.fromkeys(name for row in islice(objects, NAMED_ROWS) for name in row)]


def check_columns(path: Path, columns: Columns, *, fields: Collection[str], needed: str, where: str) -> None:
    """Raise what `Columns.check` raises of the columns of the table `path`; or if it cannot be read as a table."""
    check_encoding(path, where)
    faults = Faults()
    try:
        names = column_names(path, faults)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    if not names:
        advice = "; write a JSON object on each line" if table_kind(path) == "json" else ""
        raise UserError(f"{where}: {faults.words() or 'it is empty, or has no columns'}{advice}")
    columns.check(names, fields=fields, needed=needed, where=where)


def check_encoding(path: Path, where: str) -> None:
    """Raise a `UserError` that begins with `where` if a text is UTF-16, as some programs save tables."""
    with open_lines(path, Faults()) as lines:
        first = next(lines, None)
    if first is not None and first.data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError(f"{where}: its text is UTF-16; save it as UTF-8")


@contextmanager
def open_lines(path: Path, faults: Faults) -> Iterator[Iterator[Line]]:
    """The lines of a text file, gzipped or not; if it is damaged or has no end, `faults` says so after the last one."""
    with path.open("rb") as file:
        if file.peek(len(GZIP))[: len(GZIP)] != GZIP:
            yield _lines(_pieces(file, faults), faults)
            return
        with gzip.GzipFile(fileobj=file) as expanded:
            yield _lines(_pieces(expanded, faults, left=MAX_EXPANDED_BYTES), faults)


def _pieces(file: BufferedReader | gzip.GzipFile, faults: Faults, left: float = math.inf) -> Iterator[bytes]:
    """The lines of a file, in pieces of at most `MAX_LINE_BYTES`; those that begin within the first `left` bytes."""
    try:
        while piece := file.readline(MAX_LINE_BYTES):
            yield piece
            left -= len(piece)
            if left <= 0:
                faults.end = f"the rest is not read, it expands to more than {MAX_EXPANDED_BYTES >> 30} GB"
                return
    except _UNREADABLE:
        faults.end = DAMAGED


def _lines(pieces: Iterator[bytes], faults: Faults) -> Iterator[Line]:
    for number, piece in enumerate(pieces, start=1):
        beginning, is_whole = piece, True
        while len(piece) == MAX_LINE_BYTES and not piece.endswith(b"\n") and (piece := next(pieces, b"")):
            is_whole = False
        if number > MAX_LINES:
            faults.end = f"only the first {MAX_LINES:,} lines are read"
            return
        yield Line(number, beginning, is_whole)


class _RecordLines:
    """The lines that Python's CSV reader asks for, within the limit of one record."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._again: deque[Line] = deque()
        self._may_repeat = MAX_REPEATED_BYTES
        self._bytes = 0
        self.taken: list[Line] = []  # of the record

    def begin(self) -> None:
        """The next line begins a record."""
        self._bytes = 0
        self.taken.clear()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines, None)
        if line is None:
            if self.taken:  # the reader asks for another line only within quotes
                raise _BadRecord(OPEN)
            raise StopIteration
        self.taken.append(line)
        self._bytes += len(line.data)
        if not line.is_whole:
            raise _BadRecord(LONG if len(self.taken) == 1 else OPEN)
        if self._bytes > MAX_LINE_BYTES:
            raise _BadRecord(OPEN)
        return _text(line)

    def go_back(self) -> int:
        """Read all lines of the record but the first again; returns how many lines are lost."""
        if self._bytes > self._may_repeat:  # a hostile file has an open quote on each line
            return len(self.taken)
        self._may_repeat -= self._bytes * (len(self.taken) > 1)
        self._again.extendleft(reversed(self.taken[1:]))
        return 1


class _BadRecord(Exception):
    """A record of a CSV file cannot be used; the message says why."""


def _text(line: Line) -> str:
    return line.data.decode("utf-8-sig", "replace")


def _records(lines: Iterator[Line], faults: Faults) -> Iterator[tuple[str, list[str]]]:
    """Yield where each record of a CSV file is, and its values; the first has the names of the columns.

    A quote that is never closed costs its own line: the next lines are read as records again.
    """
    if (first := next(lines, None)) is None:
        return
    source = _RecordLines(chain([first], lines))
    delimiter = max(DELIMITERS, key=first.data.decode("utf-8", "replace").count)
    reader = csv.reader(source, delimiter=delimiter)
    while True:
        source.begin()
        try:
            record = next(reader)
            if len(source.taken) > 1:
                _check_quotes(source.taken, delimiter)
        except StopIteration:
            return
        except (csv.Error, _BadRecord) as error:
            reason = str(error) if isinstance(error, _BadRecord) else "is not CSV"
            faults.add(f"line {source.taken[0].number}", reason, rows=source.go_back())
        else:
            if record:
                yield f"line {source.taken[0].number}", record


def _check_quotes(lines: list[Line], delimiter: str) -> None:
    """Raise `_BadRecord` if the record of several lines ends with the quote of another one: text follows that quote."""
    try:
        next(csv.reader(map(_text, lines), delimiter=delimiter, strict=True))
    except csv.Error:
        raise _BadRecord(OPEN) from None


def _header(records: Iterator[tuple[str, list[str]]]) -> list[str]:
    return [name.strip() for name in next(records, ("", []))[1]]


def _read_csv(path: Path, columns: Columns, fields: tuple[str, ...], faults: Faults) -> Iterator[tuple[str, Row]]:
    with open_lines(path, faults) as lines:
        records = _records(lines, faults)
        names = _header(records)
        indices = {field: names.index(column) for field, column in columns.choose(names, fields).items()}
        for where, record in records:
            if any(record[len(names) :]):  # an unquoted comma in a title, which moves all that follows
                faults.add(where, f"has {len(record)} values for {len(names)} columns")
            else:
                yield where, {field: record[index] for field, index in indices.items() if index < len(record)}


def _objects(lines: Iterator[Line], faults: Faults) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where each JSON object of a file is, and the object."""
    for number, data, is_whole in lines:
        if not data.strip():
            continue
        try:
            row = json.loads(data.decode("utf-8-sig", "replace")) if is_whole else None
        except (ValueError, RecursionError):  # thousands of nested brackets, or digits
            row = None
        if isinstance(row, dict):
            yield f"line {number}", row
        else:
            faults.add(f"line {number}", "is not a JSON object" if is_whole else LONG)


def _read_json(path: Path, columns: Columns, fields: tuple[str, ...], faults: Faults) -> Iterator[tuple[str, Row]]:
    chosen: dict[tuple[str, ...], dict[str, str]] = {}  # by the names of an object's fields, the same for most
    with open_lines(path, faults) as lines:
        for where, row in _objects(lines, faults):
            names = tuple(row)
            if names not in chosen:
                if len(chosen) == MAX_SHAPES:
                    chosen.clear()
                chosen[names] = columns.choose(names, fields)
            yield where, {field: as_text(row[column]) for field, column in chosen[names].items()}
