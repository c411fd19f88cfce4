"""Write an export into a folder that a person chose: pictures and `metadata.jsonl`, or a model; and `export.json`.

`export.json` says what the export is, lists its files with their SHA-256, and is `"finished": false` until the last
file is written. By this list a later export knows which files it may replace: files of a person are never deleted or
written over.
"""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipeline.errors import UserError
from pipeline.gan.model_repository import NAMES as MODEL_NAMES
from pipeline.progress import Progress
from pipeline.report.export_files import PLAIN
from pipeline.store.atomic import SUFFIX, write_whole
from pipeline.store.digest import is_digest, of_file
from pipeline.store.jsonl import dump_row

METADATA, ABOUT = "metadata.jsonl", "export.json"
DRAFT = re.compile(rf"\.(.+){re.escape(SUFFIX)}")  # what a killed export leaves of the file that it was writing
# When a person looks into the folder, or passes a model on with Git or the tools of the Hugging Face Hub
MADE_BY_SYSTEMS = {".DS_Store", "Thumbs.db", "desktop.ini", ".git", ".cache"}
LISTED = 3  # of the files in the way, in an error


class Exported(Protocol):
    """A file of an export. Its `row` is its line of metadata.jsonl; None for the files of a model."""

    @property
    def name(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    def content(self) -> bytes: ...

    def row(self) -> dict[str, Any] | None: ...


@dataclass(frozen=True)
class Earlier:
    """An export that is in the folder already: the SHA-256 of its files by name, and whether it was finished."""

    files: Mapping[str, str]
    finished: bool


def find_earlier(folder: Path, *, kind: str, dataset: str) -> Earlier | None:
    """The earlier export in `folder` that an export of `kind` of `dataset` may replace; None if it is new or empty.

    Raises:
        UserError: The folder is a file, or has an export of something else, files of another origin, or files of the
            export that were changed.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; name a new or an empty folder")
    names = {path.name for path in folder.iterdir()} - MADE_BY_SYSTEMS if folder.is_dir() else set()
    if not names:
        return None
    found = _read_about(folder / ABOUT)
    if found and (found["export"], found["dataset"]) != (kind, dataset):
        raise UserError(
            f"{folder} has an export of {found['export']} of the dataset {found['dataset']}; name another folder"
        )
    files: dict[str, str] = found["files"] if found else {}
    own = {*files, METADATA, ABOUT} if found else set()
    foreign = sorted(name for name in names if name not in own and not _is_draft(name, files))
    if foreign:
        shown = ", ".join(foreign[:LISTED]) + (", …" if len(foreign) > LISTED else "")
        raise UserError(f"{folder} has files that no export of {kind} made: {shown}; name another folder")
    changed = [name for name in sorted(files.keys() & names) if not _is_unchanged(folder / name, files[name])]
    if changed:
        raise UserError(f"{folder / changed[0]} was changed after the export; name another folder, or move it away")
    return Earlier(files=files, finished=bool(found and found["finished"]))


def write_export(
    folder: Path,
    files: Sequence[Exported],
    *,
    earlier: Earlier | None,
    kind: str,
    dataset: str,
    artifacts: Mapping[str, Path],
    progress: Progress,
) -> None:
    """Make `folder` the export of `files`; files of `earlier` that are not among them are deleted.

    Args:
        folder: Created if it is missing; `find_earlier` has looked at it.
        files: What to export.
        earlier: What `find_earlier` found.
        kind: kept, squares, samples, model or onnx.
        dataset: The dataset's name.
        artifacts: The artifacts that the files and their metadata come from, by stage.
        progress: Called before each file.

    Raises:
        DamagedState: A file of an artifact is missing or changed.
    """
    before: Mapping[str, str] = earlier.files if earlier else {}
    after = {file.name: file.sha256 for file in files}
    about = {
        "export": kind,
        "dataset": dataset,
        "artifacts": {stage: path.as_posix() for stage, path in artifacts.items()},
    }
    folder.mkdir(parents=True, exist_ok=True)
    # A killed export is known by this, and at each moment the list has all files that are there
    _write_about(folder, {**about, "finished": False, "files": before})
    (folder / METADATA).unlink(missing_ok=True)
    for path in [*folder.iterdir()]:
        if (path.name in before and before[path.name] != after.get(path.name)) or _is_draft(path.name, before):
            path.unlink()
    _write_about(folder, {**about, "finished": False, "files": after})
    for number, file in enumerate(files):
        progress(number, len(files), file.name)
        if not (folder / file.name).exists():
            write_whole(folder / file.name, file.content(), sync=False)
    rows = [row for file in files if (row := file.row()) is not None]
    if rows or not files:
        write_whole(folder / METADATA, "".join(map(dump_row, rows)).encode("utf-8", "replace"))
    _write_about(folder, {**about, "finished": True, "files": after})


def _write_about(folder: Path, about: Mapping[str, Any]) -> None:
    write_whole(folder / ABOUT, (json.dumps(about, indent=1, ensure_ascii=False) + "\n").encode())


def _read_about(path: Path) -> dict[str, Any] | None:
    """The content of export.json; None if it is missing or is not what an export writes."""
    with suppress(OSError, ValueError, RecursionError):
        found = json.loads(path.read_bytes())
        if isinstance(found, dict) and {"export", "dataset", "finished", "files"} <= found.keys():
            files = found["files"]
            if isinstance(files, dict) and all(_is_own_name(name) and is_digest(files[name]) for name in files):
                return found
    return None


def _is_own_name(name: str) -> bool:
    """Whether a file of an export may have this name."""
    return name in MODEL_NAMES or PLAIN.fullmatch(name) is not None


def _is_draft(name: str, files: Mapping[str, str]) -> bool:
    """Whether a killed export left the hidden file `name`, which was to become an export's file or one of `files`."""
    found = DRAFT.fullmatch(name)
    return found is not None and found[1] in {*files, METADATA, ABOUT}


def _is_unchanged(path: Path, sha256: str) -> bool:
    return path.is_file() and not path.is_symlink() and of_file(path) == sha256
