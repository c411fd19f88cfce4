"""The manifest of an artifact: its stage, inputs, options and versions, and the digest of every file.

A folder of pictures may have a million files. The manifest has only their number; each is described by the row of
images.jsonl that names it with its SHA-256, or is named by its SHA-256. So a manifest is small, and a look at an
artifact costs the same whatever it holds. Other files in such a folder, as file managers leave them where people look,
are none of the artifact's.
"""

import dataclasses
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, get_origin

from pipeline.errors import DamagedState
from pipeline.store import digest
from pipeline.store.jsonl import read_rows

NAME = "manifest.json"
ROWS = "images.jsonl"  # describes the files of a folder of pictures
_PICTURE = re.compile(r"[0-9a-f]+\.[0-9a-z]+")  # its id and its type; no system's or person's file is called so


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One finished stage. `inputs` and `outputs` map names to digests; `files` maps a path to [size in bytes, SHA-256].
    `folders` maps the path of each folder of pictures, whose files are not in `files`, to [number of files,
    modification time in nanoseconds].

    `forced` names the rerun that requested it, `run` the run that made it; `seconds` is the duration, `created` the end
    (ISO 8601, UTC), `notes` describes the inputs for people (`{"labels": 83}`). `unfinished` says how far the stage
    came (`40 of 100 epochs`) if its time was over; only the run that made such a manifest takes it for complete.
    """

    stage: str
    version: int
    dataset: str
    key: str
    options: dict[str, Any]
    inputs: dict[str, str]
    outputs: dict[str, str] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    folders: dict[str, list[int]] = field(default_factory=dict)
    files: dict[str, list[Any]] = field(default_factory=dict)
    run: str = ""
    forced: str = ""
    created: str = ""
    seconds: float = 0.0
    unfinished: str = ""


def write(manifest: Manifest, folder: Path) -> None:
    """Write `manifest` into `folder` with fsync, with a digest of itself so that truncation or an edit is detected."""
    body = dataclasses.asdict(manifest)
    text = json.dumps({**body, "self": digest.of_value(body)}, ensure_ascii=False, indent=1)
    with (folder / NAME).open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read(folder: Path) -> Manifest:
    """Read the manifest of `folder`; `DamagedState` if it is missing, truncated or changed."""
    path = folder / NAME
    try:
        body = json.loads(path.read_bytes())
        claimed = body.pop("self")
        manifest = from_json(body)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DamagedState(f"{path} cannot be read ({type(error).__name__}: {str(error)[:80]})") from None
    if claimed != digest.of_value(body):
        raise DamagedState(f"{path} is not what was written")
    return manifest


def from_json(body: Any) -> Manifest:
    """The manifest that is written as the JSON value `body`.

    Raises:
        TypeError: a field is missing or unknown, or has another type.
    """
    made = Manifest(**body)
    for each in dataclasses.fields(Manifest):
        kind = get_origin(each.type) or each.type
        if not _is_of(getattr(made, each.name), (int, float) if kind is float else kind):
            raise TypeError(f"{each.name} has another type")
    texts = (*made.inputs.values(), *made.outputs.values(), *made.versions.values())
    files_are = all(_are_of(file, int, str) for file in made.files.values())
    folders_are = all(_are_of(folder, int, int) for folder in made.folders.values())
    if not (files_are and folders_are and all(isinstance(text, str) for text in texts)):
        raise TypeError("a digest, a file or a folder has another type")
    return made


def _is_of(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _are_of(values: Any, *kinds: type) -> bool:
    """Whether `values` is a list with a value of each kind, and no number in it is negative."""
    return (
        isinstance(values, list)
        and len(values) == len(kinds)
        and all(map(_is_of, values, kinds))
        and all(isinstance(value, str) or value >= 0 for value in values)
    )


@lru_cache(maxsize=16)  # a stage reads several files of an artifact, and a manifest may name a million of them
def read_known(folder: Path, stamp: int) -> Manifest:
    """Like `read`, once for each `stamp`, the manifest's modification time in nanoseconds."""
    return read(folder)


def list_files(folder: Path, *, pictures: str = "") -> dict[str, list[Any]]:
    """Every file below `folder` except the manifest and the files in its folder `pictures`: relative path to [size in
    bytes, SHA-256].
    """
    paths = sorted(path for path in _walk(folder, pictures) if path != folder / NAME)
    return {path.relative_to(folder).as_posix(): [path.stat().st_size, digest.of_file(path)] for path in paths}


def _walk(folder: Path, pictures: str) -> Iterator[Path]:
    for root, below, names in os.walk(folder):
        if Path(root) == folder and pictures in below:
            below.remove(pictures)
        yield from (Path(root, name) for name in names)


def list_folders(folder: Path, pictures: str) -> dict[str, list[int]]:
    """The folder of pictures as `Manifest.folders` has it; nothing if there is none of the name `pictures`."""
    path = folder / pictures
    return {pictures: [_count(path), path.stat().st_mtime_ns]} if pictures and path.is_dir() else {}


def picture_files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """The files of a folder of pictures, which are named by ids; others, such as .DS_Store and Thumbs.db, are not."""
    with os.scandir(folder) as entries:
        yield from (entry for entry in entries if _PICTURE.fullmatch(entry.name))


def _count(folder: Path) -> int:
    return sum(1 for _ in picture_files(folder))


def check_files(manifest: Manifest, folder: Path) -> None:
    """Raise `DamagedState` naming the first file that is missing or has another size; does not read contents.

    Files of a folder of pictures are counted, and only if the folder was changed or copied since it was written.
    """
    for name, (size, _) in manifest.files.items():
        path = folder / name
        try:
            found = path.stat().st_size
        except OSError:
            raise DamagedState(f"{path} is missing") from None
        if found != size:
            raise DamagedState(f"{path} has {found} bytes where {size} were written")
    for name, (count, changed) in manifest.folders.items():
        path = folder / name
        try:
            found = count if path.stat().st_mtime_ns == changed else _count(path)
        except OSError:
            raise DamagedState(f"{path} is missing") from None
        if found != count:
            raise DamagedState(f"{path} has {found} files where {count} were written")


def check_contents(manifest: Manifest, folder: Path) -> None:
    """Raise `DamagedState` naming the first file whose content has changed; reads all files."""
    check_files(manifest, folder)
    _check_digests(folder, ((name, sha256) for name, (_, sha256) in manifest.files.items()))
    check_pictures(manifest, folder)


def check_pictures(manifest: Manifest, folder: Path) -> None:
    """Raise `DamagedState` naming the first picture in a folder of pictures whose content has changed; reads them."""
    _check_digests(folder, _pictures(manifest, folder))


def _check_digests(folder: Path, expected: Iterable[tuple[str, str]]) -> None:
    for name, sha256 in expected:
        if digest.of_file(folder / name) != sha256:
            raise DamagedState(f"{folder / name} is not what was written")


def _pictures(manifest: Manifest, folder: Path) -> Iterator[tuple[str, str]]:
    """The path and the expected SHA-256 of each file in the folders of pictures."""
    if manifest.folders:
        described = {row["file"]: row["sha256"] for row in read_rows(folder / ROWS) if row.get("file")}
        for name in manifest.folders:
            for file in sorted(entry.name for entry in picture_files(folder / name)):
                yield f"{name}/{file}", described.get(f"{name}/{file}", Path(file).stem)
