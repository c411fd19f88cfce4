"""The journal of prepared pictures: what is done is on the disk, so that a stopped run resumes there.

It has a JSON line for each picture, in the order in which they are done. Memory has only where each line begins: what
a picture is compared by takes three kilobytes.
"""

from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import DamagedState
from pipeline.images.prepare import Prepared
from pipeline.store import digest
from pipeline.store.atomic import open_whole
from pipeline.store.jsonl import dump_row, parse_row, read_rows


class Journal:
    """The journal in the file `path`, open for reading and appending as a context manager.

    Entries of an earlier run are kept if their squares in `images` are undamaged.
    """

    def __init__(self, path: Path, images: Path) -> None:
        self.path = path
        self._starts: dict[str, int] = {}  # of each line, by id
        self._end = 0
        # Rewrite the file, because the next line would be appended to a truncated last line
        with open_whole(path, sync=False) as file:
            for row in _read(path):
                if row.reason or _is_undamaged(images / f"{row.id}.png", row.sha256):
                    file.write(self._place(row))
        self._file = path.open("r+b")

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._starts)

    def __contains__(self, id: object) -> bool:
        return id in self._starts

    def __getitem__(self, id: str) -> Prepared:
        self._file.seek(self._starts[id])
        return Prepared(**parse_row(self._file.readline(), str(self.path)))

    def add(self, row: Prepared) -> None:
        """Append `row`; it survives a kill of this process when this method returns."""
        self._file.seek(self._end)
        self._file.write(self._place(row))
        self._file.flush()

    def remove(self) -> None:
        """Delete the file at the end of the stage."""
        self.path.unlink()

    def _place(self, row: Prepared) -> bytes:
        """The line of `row`, which comes next."""
        line = dump_row(vars(row)).encode()
        self._starts[row.id] = self._end
        self._end += len(line)
        return line


def _read(path: Path) -> Iterator[Prepared]:
    """The entries before the first truncated line."""
    try:
        for row in read_rows(path):
            yield Prepared(**row)
    except (FileNotFoundError, DamagedState, TypeError):
        pass


def _is_undamaged(square: Path, sha256: str) -> bool:
    return square.is_file() and digest.of_file(square) == sha256
