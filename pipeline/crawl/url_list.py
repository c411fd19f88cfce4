"""A list of pictures on the web, read as a stream: a text file with one URL on each line, or a table with a column of
URLs and perhaps others.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pipeline.crawl.columns import Columns
from pipeline.crawl.tables import Faults, check_columns, check_encoding, open_lines, read_table, table_kind
from pipeline.crawl.url import host_of, normalize_url
from pipeline.errors import UserError

MAX_ROWS = 10_000_000  # of a list that are read
FIELDS = ("url", "title", "page", "license", "creator", "class")  # in the order of `ListedUrl`


class ListedUrl(NamedTuple):
    """A row of a list: the address of a picture as it is written there, and what the list says about the picture."""

    address: str
    title: str = ""
    page: str = ""
    license: str = ""
    creator: str = ""
    category: str = ""


class UrlList:
    """The rows of the list `path`, in its order; each iteration reads the file again.

    Empty rows and, in a text file, lines that begin with # are left out. `faults` says what else the last iteration
    left out so far: rows that are damaged or have no address, and those after the first `limit`.
    """

    def __init__(self, path: Path, columns: Columns, *, limit: int = MAX_ROWS) -> None:
        self.path = path
        self.columns = columns
        self.limit = limit
        self.faults = Faults()

    def __iter__(self) -> Iterator[ListedUrl]:
        self.faults = faults = Faults()
        rows = self._table(faults) if table_kind(self.path) else self._lines(faults)
        yield from islice(rows, self.limit)
        if next(rows, None) is not None:
            faults.end = f"only the first {self.limit:,} rows are read"

    def check(self, where: str) -> None:
        """Raise a `UserError` that begins with `where` if there is no column with URLs, no row, or nothing to read."""
        if table_kind(self.path):
            check_columns(self.path, self.columns, fields=FIELDS, needed="url", where=where)
        elif self.columns.given:
            raise UserError(f"{where}: it is a text without columns; columns is for csv, tsv, jsonl and parquet")
        else:
            check_encoding(self.path, where)
        if next(iter(self), None) is None:
            raise UserError(f"{where}: {self.faults.words() or 'the file contains no URL; write one per line'}")

    def _table(self, faults: Faults) -> Iterator[ListedUrl]:
        for place, row in read_table(self.path, self.columns, FIELDS, faults):
            found = ListedUrl(*[row.get(field, "").strip() for field in FIELDS])
            if not found.address:
                faults.add(place, "has no URL")
            elif found.page:
                yield found._replace(page=normalize_url(found.page) if host_of(found.page) else "")
            else:
                yield found

    def _lines(self, faults: Faults) -> Iterator[ListedUrl]:
        with open_lines(self.path, faults) as lines:
            for line in lines:
                for text in line.data.decode("utf-8-sig", "replace").splitlines():
                    if text.strip() and not text.strip().startswith("#"):
                        yield ListedUrl(text.strip())
