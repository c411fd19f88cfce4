"""Read files of an artifact and verify them against the SHA-256 in its manifest.

Every stage and page reads such files through this module, so that a file changed by a bad disk, an editor or a copy is
not used silently. A folder without a manifest is not an artifact: its files are read without a check.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import DamagedState
from pipeline.store import digest, jsonl, manifest
from pipeline.store.manifest import Manifest


def read_bytes(folder: Path, name: str, *, sha256: str = "") -> bytes:
    """The content of the file `name` of the artifact `folder`; `sha256` is what images.jsonl says of a picture, which
    the manifest does not list.

    Raises:
        DamagedState: the file is missing, cannot be read, or its SHA-256 is not the manifest's. The message names the
            file and the command that makes it again.
    """
    written = _manifest(folder)
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise _damaged(folder / name, f"cannot be read ({error.strerror})", written) from None
    if written is not None:
        _, expected = written.files.get(name, (0, sha256))
        if digest.of_bytes(content) != expected:
            raise _damaged(folder / name, "is not what was written", written)
    return content


def read_rows(folder: Path, name: str) -> list[dict[str, Any]]:
    """The rows of the JSONL file `name` of the artifact `folder`. Raises as `read_bytes`."""
    return list(iterate_rows(folder, name))


def iterate_rows(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """The rows of `read_rows` one by one, for files whose rows are not needed at once. Raises as `read_bytes`.

    The file is read twice, to verify all of it before the first row.
    """
    written, path = _manifest(folder), folder / name
    try:
        if written is not None and digest.of_file(path) != written.files.get(name, (0, ""))[1]:
            raise _damaged(path, "is not what was written", written)
        yield from jsonl.read_rows(path)
    except OSError as error:
        raise _damaged(path, f"cannot be read ({error.strerror})", written) from None


def read_array(folder: Path, name: str) -> np.ndarray:
    """The array in the NPY file `name` of the artifact `folder`. Raises as `read_bytes`."""
    try:
        return np.load(io.BytesIO(read_bytes(folder, name)), allow_pickle=False)
    except (ValueError, EOFError):
        raise _damaged(folder / name, "holds no array", _manifest(folder)) from None


def _damaged(path: Path, what: str, written: Manifest | None) -> DamagedState:
    remedy = f"; `python -m tasks rerun {written.stage}` makes it again" if written else ""
    return DamagedState(f"{path} {what}{remedy}")


def _manifest(folder: Path) -> Manifest | None:
    try:
        stamp = (folder / manifest.NAME).stat().st_mtime_ns
    except OSError:
        return None
    return manifest.read_known(folder, stamp)
