"""Send files as a zip while it is made: neither the memory nor the disk holds the whole of it."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

CHUNK = 1 << 18  # bytes that are read and sent at once
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same files give the same zip


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file on disk, or the file `member` in the zip that this is, or `data`; and its name in the zip."""

    path: Path
    name: str
    member: str = ""
    data: bytes | None = None

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """The file. Errors: `OSError`, `KeyError`, `BadZipFile`."""
        if self.data is not None:
            yield io.BytesIO(self.data)
        elif self.member:
            with zipfile.ZipFile(self.path) as packed, packed.open(self.member) as file:
                yield file
        else:
            with self.path.open("rb") as file:
                yield file


class _Pipe(io.RawIOBase):
    """What was written and not yet taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        """Zips are written to it."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # zipfile writes bytes
        """Keep `data` until it is taken."""
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """All that was written since the last call."""
        taken, self._parts = b"".join(self._parts), []
        return taken


def zip_stream(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The parts of a zip with `entries`, which are stored as they are: pictures and networks are compressed already.

    A file that is gone meanwhile is left out.
    """
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as made:
        for entry in entries:
            with ExitStack() as stack:
                try:
                    source = stack.enter_context(entry.open())
                except (OSError, KeyError, zipfile.BadZipFile):
                    continue
                info = zipfile.ZipInfo(entry.name, LONG_AGO)
                target = stack.enter_context(made.open(info, "w", force_zip64=True))
                while data := source.read(CHUNK):
                    target.write(data)
                    yield pipe.take()
    yield pipe.take()
