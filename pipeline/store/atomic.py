"""Write a file atomically: a reader, also one after a kill or a loss of power, sees all of it or what was there before.

The data go into a temporary file in the same folder, onto the disk, and then take the file's name in one step.
Folders are published by `artifacts` in the same way, and the body of a picture by `crawl.storage`, where the name is
not known before the last byte.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

SUFFIX = ".part"


def write_whole(path: Path, data: bytes | memoryview, *, sync: bool = True, unique: bool = False) -> None:
    """Make `data` the content of the file `path`; the arguments and errors are those of `open_whole`."""
    with open_whole(path, sync=sync, unique=unique) as file:
        file.write(data)


@contextmanager
def open_whole(path: Path, *, sync: bool = True, unique: bool = False, draft: Path | None = None) -> Iterator[BinaryIO]:
    """Give a file to write to, which becomes `path` when the block ends, and is removed if the block raises.

    Args:
        path: the file; its folder must exist.
        sync: the data are on the disk when the block has ended; without it a loss of power soon after may take them.
        unique: the temporary file has a name of its own, so that two processes or threads may write `path` at the same
            time. Without it the name is always the same: what a killed process left, the next one writes over.
        draft: the temporary file, in the same folder, if it needs another name.

    Errors: the `OSError` of a full disk and its like; `path` is then as it was.
    """
    writer = f".{os.getpid()}-{threading.get_ident()}" if unique else ""
    draft = draft or path.with_name(f".{path.name}{writer}{SUFFIX}")
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
