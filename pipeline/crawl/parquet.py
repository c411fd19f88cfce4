"""Rows of Parquet files, with pyarrow, which is an extra: `make parquet`.

Texts are read as dictionaries (each different text once, and a number for each row), because a small file may repeat a
text of many megabytes in every row.
"""

import importlib.util
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

from pipeline.crawl.columns import Columns, as_text
from pipeline.crawl.tables import DAMAGED, LONG, MAX_LINE_BYTES, Faults, Row
from pipeline.errors import UserError
from pipeline.text import to_plain_line

PACKAGE = "pyarrow"
BATCH = 1024  # rows that are read at a time,
BATCH_BYTES = 16_000_000  # or fewer: of texts that are as long as the file says for the average
# A row group is refused if a column expands to more, and by a larger factor: a page of it is in memory as a whole. That
# is what the file says of itself; what it says may be wrong, so a hostile file may still need more.
MAX_EXPANDED_BYTES, MAX_FACTOR = 64_000_000, 100
BOMB = f"belongs to a row group that expands to more than {MAX_FACTOR} times its bytes"
MISSING = (
    f"Parquet needs a package that is not installed: {PACKAGE}; `make parquet` installs it, 170 MB, or `pip install -r"
    " requirements-parquet.txt`"
)


class _Unreadable(Exception):
    """pyarrow cannot read a file, which is damaged or no Parquet file."""


def can_read_parquet() -> bool:
    """Whether pyarrow is installed."""
    return importlib.util.find_spec(PACKAGE) is not None


def parquet_columns(path: Path) -> list[str]:
    """The names of the columns of texts and numbers; no other values are read.

    Errors: `UserError` if pyarrow is not installed or this is no Parquet file.
    """
    try:
        with _arrow_errors():
            return [*_kinds(_open(path))]
    except _Unreadable:
        raise UserError(f"{to_plain_line(path.name, 200)} is damaged, or no Parquet file") from None


def read_parquet(path: Path, columns: Columns, fields: tuple[str, ...], faults: Faults) -> Iterator[tuple[str, Row]]:
    """What `tables.read_table` yields, of a Parquet file. Errors: `UserError` if pyarrow is not installed."""
    try:
        with _arrow_errors():
            kinds = _kinds(_open(path))
            chosen = columns.choose(kinds, fields)
            wanted = {name: kinds[name] for name in chosen.values()}
            for first, texts in _batches(path, wanted, faults):
                rows = zip(*(texts[column] for column in chosen.values()), strict=True)
                for number, values in enumerate(rows, start=first):
                    if None in values:
                        faults.add(f"row {number}", LONG)
                    else:
                        yield f"row {number}", dict(zip(chosen, cast(tuple[str, ...], values), strict=True))
    except _Unreadable:
        faults.end = DAMAGED


def _open(path: Path, **options: Any) -> Any:
    from pyarrow.parquet import ParquetFile

    return ParquetFile(path, **options)


def _kinds(file: Any) -> dict[str, bool]:
    """Whether each column is one of texts and not of numbers; only columns of either, and no name that comes twice."""
    from pyarrow import types

    times, found = Counter(file.schema_arrow.names), {}
    for name, kind in zip(file.schema_arrow.names, file.schema_arrow.types, strict=True):
        value = kind.value_type if types.is_dictionary(kind) else kind
        is_text = any(str(value) == f"{size}{base}" for base in ("string", "binary") for size in ("", "large_")) or (
            str(value) in ("string_view", "binary_view")
        )
        if (is_text or types.is_integer(value) or types.is_floating(value)) and times[name] == 1:
            found[name] = is_text
    return found


class _Size(NamedTuple):
    """What the file says of a row group: how many rows it has, how many to read at a time, and whether to refuse it."""

    rows: int
    batch: int
    is_bomb: bool


def _size_of(file: Any, group: int, wanted: Collection[str]) -> _Size:
    described = file.metadata.row_group(group)
    parts = [described.column(index) for index in range(described.num_columns)]
    parts = [part for part in parts if part.path_in_schema in wanted]
    is_bomb = any(
        part.total_uncompressed_size > max(MAX_EXPANDED_BYTES, MAX_FACTOR * part.total_compressed_size)
        for part in parts
    )
    average = sum(part.total_uncompressed_size for part in parts) / max(described.num_rows, 1)
    return _Size(described.num_rows, max(1, min(BATCH, int(BATCH_BYTES / max(average, 1)))), is_bomb)


def _batches(path: Path, wanted: dict[str, bool], faults: Faults) -> Iterator[tuple[int, dict[str, list[str | None]]]]:
    """The texts of the columns `wanted`, of some rows at a time, with the number of the first row from 1."""
    file, number = _open(path, read_dictionary=[name for name, is_text in wanted.items() if is_text]), 1
    for group in range(file.num_row_groups):
        size = _size_of(file, group, wanted)
        if size.is_bomb:
            faults.add(f"row {number}", BOMB, rows=size.rows)
            number += size.rows
            continue
        for batch in file.iter_batches(size.batch, row_groups=[group], columns=[*wanted], use_threads=False):
            yield number, {name: _texts(batch.column(name), is_text=is_text) for name, is_text in wanted.items()}
            number += batch.num_rows


def _texts(values: Any, *, is_text: bool) -> list[str | None]:
    """The values as text; None for one that is too long."""
    if not is_text:
        return [as_text(value) for value in values.to_pylist()]
    from pyarrow import compute

    used = values.indices.unique().drop_null()
    different = values.dictionary.take(used)
    short = compute.less_equal(compute.binary_length(different), MAX_LINE_BYTES)
    texts = compute.if_else(short, different, None).to_pylist()
    by_index = dict(zip(used.to_pylist(), texts, strict=True))
    return ["" if index is None else _decoded(by_index[index]) for index in values.indices.to_pylist()]


def _decoded(value: str | bytes | None) -> str | None:
    return None if value is None else as_text(value)


@contextmanager
def _arrow_errors() -> Iterator[None]:
    """Convert what pyarrow raises for a file that it cannot read to `_Unreadable`; `UserError` if it is not here."""
    if not can_read_parquet():
        raise UserError(MISSING)
    from pyarrow import ArrowException

    try:
        yield
    except (ArrowException, OSError, UnicodeDecodeError) as error:
        raise _Unreadable from error
