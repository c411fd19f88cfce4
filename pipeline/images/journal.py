"""What a run has prepared so far, on the disk line by line, so that a stopped run goes on and not from the start."""

from pathlib import Path

from pipeline.errors import DamagedState
from pipeline.images.prepare import Prepared
from pipeline.store import digest
from pipeline.store.jsonl import dump_row, read_rows, write_rows


class Journal:
    """The file `path` as `rows` by id, with the entries of an earlier run whose squares in `images` are whole.

    A context manager: the file is open for entries as long as it lasts.
    """

    def __init__(self, path: Path, images: Path) -> None:
        self.path = path
        self.rows = {row.id: row for row in _read(path) if row.reason or _whole(images / f"{row.id}.png", row.sha256)}
        # Written anew: a line that was cut short would swallow the next one
        write_rows(path, map(vars, self.rows.values()))
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_) -> None:
        self._file.close()

    def add(self, row: Prepared) -> None:
        """Enter `row`; it outlives this process as soon as this returns."""
        self.rows[row.id] = row
        self._file.write(dump_row(vars(row)))
        self._file.flush()

    def remove(self) -> None:
        """Delete the file: the run is done."""
        self.path.unlink()


def _read(path: Path) -> list[Prepared]:
    """The entries up to the first line that is cut short."""
    rows = []
    try:
        for row in read_rows(path):
            rows.append(Prepared(**row))
    except (FileNotFoundError, DamagedState, TypeError):
        pass
    return rows


def _whole(square: Path, sha256: str) -> bool:
    return square.is_file() and digest.of_file(square) == sha256
