"""Label by moving files: export squares into one folder for each label, and import them again."""

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError
from pipeline.labels.log import VALIDATION, LabelLog
from pipeline.store import verified
from pipeline.store.digest import of_file

FOLDERS = ("on", "off", "unsure", "unlabelled")
MAX_EXAMPLES = 5  # files that match no picture are named, so that the user sees what they have in common


@dataclass(frozen=True, kw_only=True)
class ImportSummary:
    """The result of an import."""

    files: int
    changed: int  # labels that are new or different from before
    unchanged: int
    unknown: int  # files that are not pictures of this dataset
    examples: tuple[str, ...]  # names of the first few of those
    validation: int = 0  # labels of pictures of the validation set

    def __str__(self) -> str:
        words = f"{self.files} files: {self.changed} labels new or changed, {self.unchanged} as before"
        if self.validation:
            words += f"; {self.validation} are for validation: measured on, never trained on"
        if self.unknown:
            more = ", ..." if self.unknown > len(self.examples) else ""
            words += f"; {self.unknown} match no picture of this dataset: {', '.join(self.examples)}{more}"
        return words


@dataclass(frozen=True, kw_only=True)
class ExportSummary:
    """The result of an export: the number of pictures by folder."""

    folder: Path
    pictures: Mapping[str, int]

    def __str__(self) -> str:
        return f"{self.folder}: " + ", ".join(f"{self.pictures[name]} in {name}/" for name in FOLDERS)


def export_folders(labels: Mapping[str, str], *, normalize: Path, to: Path) -> ExportSummary:
    """Copy the squares of the artifact `normalize` to `to`/on, off, unsure and unlabelled, as <id>.png.

    An interrupted export is continued.

    Raises:
        UserError: one of these folders contains anything else, which could give one picture two labels.
    """
    kept = [row for row in verified.read_rows(normalize, "images.jsonl") if row["outcome"] == "kept"]
    squares = {f"{row['id']}.png": (labels.get(row["id"], "unlabelled"), normalize / row["file"]) for row in kept}
    for name in FOLDERS:
        (to / name).mkdir(parents=True, exist_ok=True)
        if any(squares.get(path.name, ("",))[0] != name for path in (to / name).iterdir()):
            raise UserError(f"{to / name} is not empty; name another folder, or empty this one")
    for file, (name, square) in squares.items():
        shutil.copyfile(square, to / name / file)
    counts = Counter(name for name, _ in squares.values())
    return ExportSummary(folder=to, pictures={name: counts[name] for name in FOLDERS})


def import_folders(
    log: LabelLog,
    *,
    on: Path | None = None,
    off: Path | None = None,
    unsure: Path | None = None,
    unlabelled: Path | None = None,
    normalize: Path,
    validation: bool = False,
) -> ImportSummary:
    """Append to `log` a label for every picture in a folder, unless it has that label already.

    A picture in `unlabelled` loses its label. The log only grows, so another import can undo this one. A file is
    matched to a picture of the artifact `normalize` by its content (as downloaded, or as a square), else by its name,
    the picture's id. The label of a duplicate is given to the picture that is kept. With `validation` the pictures
    become the validation set, or join it; nothing takes a picture out of it.

    Raises:
        UserError: a folder is missing or a picture is in two folders; then nothing is appended.
    """
    known, before = _ids_by_digest(normalize), log.current()
    labelled: dict[str, tuple[str, Path]] = {}
    unknown: list[str] = []
    files = 0
    for label, path in _labelled_files(on=on, off=off, unsure=unsure, unlabelled=unlabelled):
        files += 1
        id = known.get(of_file(path)) or known.get(path.stem)
        if id is None:
            unknown.append(path.name)
        elif labelled.setdefault(id, (label, path))[0] != label:
            raise UserError(
                f"{labelled[id][1]} and {path} are the same picture; leave it in one folder and import again"
            )
    new_labels = {id: None if label == "unlabelled" else label for id, (label, _) in labelled.items()}
    changed = {
        id: label
        for id, label in new_labels.items()
        if before.labels.get(id) != label or (validation and id not in before.validation)
    }
    log.append(changed, how="folder", set=VALIDATION if validation else "")
    return ImportSummary(
        files=files,
        changed=len(changed),
        unchanged=len(labelled) - len(changed),
        unknown=len(unknown),
        examples=tuple(unknown[:MAX_EXAMPLES]),
        validation=sum(validation or id in before.validation for id in labelled),
    )


def _ids_by_digest(normalize: Path) -> dict[str, str]:
    """The id to label for every SHA-256 of a picture: of its original bytes and of its square."""
    known = {}
    for row in verified.read_rows(normalize, "images.jsonl"):
        known[row["id"]] = row["of"] if row["outcome"] == "duplicate" else row["id"]
        if row["outcome"] == "kept":
            known[row["sha256"]] = row["id"]
    return known


def _labelled_files(**folders: Path | None) -> Iterator[tuple[str, Path]]:
    """Yield every file below each folder with the folder's label, except hidden files."""
    for label, folder in folders.items():
        if folder is None:
            continue
        if not folder.is_dir():
            raise UserError(f"--{label} {folder}: there is no such folder")
        paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
        yield from ((label, path) for path in paths if not path.name.startswith("."))
