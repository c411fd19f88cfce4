"""Write an export into a folder that a person chose: pictures and `metadata.jsonl`, or a model; and `export.json`.

`export_shards` writes shards in the same way.

`export.json` says what the export is, lists its files with their SHA-256, and is `"finished": false` until the last
file is written. By this list a later export knows which files it may replace: files of a person are never deleted or
written over.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pipeline.errors import UserError
from pipeline.gan.model_repository import NAMES as MODEL_NAMES
from pipeline.progress import Progress
from pipeline.report.export_files import PLAIN
from pipeline.report.export_layouts import SHARD_NAME
from pipeline.store.atomic import SUFFIX, open_whole, write_whole
from pipeline.store.digest import is_digest, of_file
from pipeline.store.jsonl import dump_row
from pipeline.text import to_plain_line

METADATA, ABOUT = "metadata.jsonl", "export.json"
EARLIER = ("files", "made_from", "finished")  # what of export.json a later export needs
DRAFT = re.compile(rf"\.(.+){re.escape(SUFFIX)}")  # what a killed export leaves of the file that it was writing
# When a person looks into the folder, or passes a model on with Git or the tools of the Hugging Face Hub
MADE_BY_SYSTEMS = {".DS_Store", "Thumbs.db", "desktop.ini", ".git", ".cache"}
MAX_SHOWN = 200  # characters of what export.json says, in an error
LISTED = 3  # of the files in the way, in an error


class Exported(Protocol):
    """A file of an export. Its `row` is its line of metadata.jsonl; None for the files of a model."""

    @property
    def name(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    def content(self) -> bytes: ...

    def row(self) -> dict[str, Any] | None: ...


@dataclass(frozen=True, kw_only=True)
class ExportKind:
    """What is exported (kept, squares, samples, model or onnx) of which dataset, and in which layout; "" is plain."""

    kind: str
    dataset: str
    layout: str = ""

    def __str__(self) -> str:
        return self.kind + (f" as {self.layout}" if self.layout else "")

    def about(self, artifacts: Mapping[str, Path]) -> dict[str, Any]:
        """The beginning of export.json; `artifacts`, by stage, are those that the files and metadata come from."""
        layout = {"as": self.layout} if self.layout else {}
        folders = {stage: path.as_posix() for stage, path in artifacts.items()}
        return {"export": self.kind, **layout, "dataset": self.dataset, "artifacts": folders}


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """An export that is in the folder already: the SHA-256 of its files by name, and whether it was finished.

    `made_from` are digests of what its shards were made from, also of those that it had not written yet.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    made_from: Mapping[str, str] = field(default_factory=dict)
    finished: bool = False


def find_earlier(folder: Path, export: ExportKind) -> Earlier | None:
    """The earlier export in `folder` that `export` may replace; None if it is new or empty.

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
    if found:
        before = ExportKind(kind=found["export"], dataset=found["dataset"], layout=found.get("as", ""))
        if before != export:
            shown = to_plain_line(f"{before} of the dataset {before.dataset}", MAX_SHOWN)
            raise UserError(f"{folder} has an export of {shown}; name another folder")
    earlier = Earlier(**{name: found[name] for name in EARLIER if name in found}) if found else Earlier()
    own = {*earlier.files, METADATA, ABOUT} if found else set()
    foreign = sorted(name for name in names if name not in own and not is_draft(name, earlier))
    if foreign:
        shown = ", ".join(foreign[:LISTED]) + (", …" if len(foreign) > LISTED else "")
        raise UserError(f"{folder} has files that no export of {export.kind} made: {shown}; name another folder")
    changed = [name for name in sorted(earlier.files.keys() & names) if not _is_unchanged(folder, name, earlier)]
    if changed:
        raise UserError(f"{folder / changed[0]} was changed after the export; name another folder, or move it away")
    return earlier


def write_export(
    folder: Path,
    files: Sequence[Exported],
    *,
    earlier: Earlier | None,
    export: ExportKind,
    artifacts: Mapping[str, Path],
    progress: Progress,
) -> None:
    """Make `folder` the export of `files`; files of `earlier` that are not among them are deleted.

    Nothing is written if all of it is there already.

    Args:
        folder: Created if it is missing; `find_earlier` has looked at it.
        files: What to export.
        earlier: What `find_earlier` found.
        export: What this is, for export.json.
        artifacts: The artifacts that the files and their metadata come from, by stage.
        progress: Called before each file.

    Raises:
        DamagedState: A file of an artifact is missing or changed.
    """
    before = earlier or Earlier()
    after = {file.name: file.sha256 for file in files}
    about = export.about(artifacts)
    if is_finished(folder, {**about, "finished": True, "files": after}) and _has_lines(folder / METADATA, files):
        return
    folder.mkdir(parents=True, exist_ok=True)
    # A killed export is known by this, and at each moment the list has all files that are there
    write_about(folder, {**about, "finished": False, "files": before.files})
    (folder / METADATA).unlink(missing_ok=True)
    remove_others(folder, before, {name for name in after if before.files.get(name) == after[name]})
    write_about(folder, {**about, "finished": False, "files": after})
    for number, file in enumerate(files):
        progress(number, len(files), file.name)
        if not (folder / file.name).exists():
            write_whole(folder / file.name, file.content(), sync=False)
    if _has_metadata(files):
        with open_whole(folder / METADATA) as metadata:
            metadata.writelines(_lines(files))
    write_about(folder, {**about, "finished": True, "files": after})


def is_finished(folder: Path, about: Mapping[str, Any]) -> bool:
    """Whether the finished export `about` is in `folder`, without a look into its files."""
    names = about["files"]
    with suppress(OSError):
        return (folder / ABOUT).read_bytes() == _dumped(about) and all((folder / name).exists() for name in names)
    return False


def remove_others(folder: Path, earlier: Earlier, kept: Collection[str]) -> None:
    """Delete the files of the earlier export but `kept`, and what a killed export left of the one it was writing."""
    for path in [*folder.iterdir()]:
        if (path.name in earlier.files and path.name not in kept) or is_draft(path.name, earlier):
            path.unlink()


def write_about(folder: Path, about: Mapping[str, Any]) -> None:
    """Write export.json."""
    write_whole(folder / ABOUT, _dumped(about))


def is_draft(name: str, earlier: Earlier) -> bool:
    """Whether a killed export left the hidden file `name`, which was to become an export's file or one of `earlier`."""
    found = DRAFT.fullmatch(name)
    return found is not None and found[1] in {*earlier.files, *earlier.made_from, METADATA, ABOUT}


def _has_metadata(files: Sequence[Exported]) -> bool:
    """Whether files like `files` have lines in metadata.jsonl; those of a model have none."""
    return not files or files[0].row() is not None


def _lines(files: Sequence[Exported]) -> Iterator[bytes]:
    for file in files:
        if (row := file.row()) is not None:
            yield dump_row(row).encode("utf-8", "replace")


def _has_lines(path: Path, files: Sequence[Exported]) -> bool:
    """Whether the file `path` is the metadata of `files`."""
    if not _has_metadata(files):
        return not path.exists()
    expected = hashlib.sha256()
    for line in _lines(files):
        expected.update(line)
    return path.is_file() and of_file(path) == expected.hexdigest()


def _dumped(about: Mapping[str, Any]) -> bytes:
    return (json.dumps(about, indent=1, ensure_ascii=False) + "\n").encode()


def _read_about(path: Path) -> dict[str, Any] | None:
    """The content of export.json; None if it is missing or is not what an export writes."""
    with suppress(OSError, ValueError, RecursionError):
        found = json.loads(path.read_bytes())
        if isinstance(found, dict) and {"export", "dataset", "finished", "files"} <= found.keys():
            lists = (found["files"], found.get("made_from", {}))
            if all(isinstance(each, dict) and all(map(_is_own, each.items())) for each in lists):
                return found
    return None


def _is_own(item: tuple[str, Any]) -> bool:
    """Whether this is a name that a file of an export may have, with a digest."""
    name, sha256 = item
    return is_digest(sha256) and bool(name in MODEL_NAMES or PLAIN.fullmatch(name) or SHARD_NAME.fullmatch(name))


def _is_unchanged(folder: Path, name: str, earlier: Earlier) -> bool:
    path = folder / name
    return path.is_file() and not path.is_symlink() and of_file(path) == earlier.files[name]
