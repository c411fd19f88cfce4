"""Labels by dragging files: one folder a label, out and in again."""

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UserError
from pipeline.labels.log import LabelLog
from pipeline.store import verified
from pipeline.store.digest import of_file

FOLDERS = ("on", "off", "unsure", "unlabelled")
NAMED = 5  # of the files that match no picture, this many are named: enough to see what they have in common


@dataclass(frozen=True, kw_only=True)
class ImportSummary:
    """What an import found."""

    files: int
    changed: int  # labels that are new or other than before
    unchanged: int
    unknown: int  # files that are no picture of this dataset
    examples: tuple[str, ...]  # the first few of those

    def __str__(self) -> str:
        words = f"{self.files} files: {self.changed} labels new or changed, {self.unchanged} as before"
        if self.unknown:
            more = ", ..." if self.unknown > len(self.examples) else ""
            words += f"; {self.unknown} match no picture of this dataset: {', '.join(self.examples)}{more}"
        return words


@dataclass(frozen=True, kw_only=True)
class ExportSummary:
    """What an export wrote: how many pictures into each folder."""

    folder: Path
    pictures: Mapping[str, int]

    def __str__(self) -> str:
        return f"{self.folder}: " + ", ".join(f"{self.pictures[name]} in {name}/" for name in FOLDERS)


def export_folders(labels: Mapping[str, str], *, normalize: Path, to: Path) -> ExportSummary:
    """Copy the squares of the finished folder `normalize` into `to`/on, off, unsure and unlabelled, as <id>.png.

    What an export that was cut off has left there is gone on from. Errors: `UserError` if one of those folders holds
    anything else, which would end in two labels for one picture.
    """
    kept = [row for row in verified.read_rows(normalize, "images.jsonl") if row["outcome"] == "kept"]
    wanted = {f"{row['id']}.png": (labels.get(row["id"], "unlabelled"), normalize / row["file"]) for row in kept}
    for name in FOLDERS:
        (to / name).mkdir(parents=True, exist_ok=True)
        if any(wanted.get(path.name, ("",))[0] != name for path in (to / name).iterdir()):
            raise UserError(f"{to / name} is not empty; name another folder, or empty this one")
    for file, (name, square) in wanted.items():
        shutil.copyfile(square, to / name / file)
    counts = Counter(name for name, _ in wanted.values())
    return ExportSummary(folder=to, pictures={name: counts[name] for name in FOLDERS})


def import_folders(
    log: LabelLog,
    *,
    on: Path | None = None,
    off: Path | None = None,
    unsure: Path | None = None,
    unlabelled: Path | None = None,
    normalize: Path,
) -> ImportSummary:
    """Append to `log` a label for every picture that lies in a folder and is not labelled so already.

    A picture in `unlabelled` loses its label. The log only grows, so an import can be undone by another one.

    A file is matched to a picture of the finished folder `normalize` by content, as it was downloaded or as its square,
    or else by its name, the picture's id. A label given to a duplicate goes to the picture kept instead of it.
    Errors: `UserError`, and nothing is appended, if a folder is missing or one picture lies under two labels.
    """
    known, before = _known(normalize), log.effective()
    found: dict[str, tuple[str, Path]] = {}
    unknown: list[str] = []
    files = 0
    for label, path in _files(on=on, off=off, unsure=unsure, unlabelled=unlabelled):
        files += 1
        id = known.get(of_file(path)) or known.get(path.stem)
        if id is None:
            unknown.append(path.name)
        elif found.setdefault(id, (label, path))[0] != label:
            raise UserError(f"{found[id][1]} and {path} are the same picture; leave it in one folder and import again")
    now = {id: None if label == "unlabelled" else label for id, (label, _) in found.items()}
    changed = {id: label for id, label in now.items() if before.get(id) != label}
    log.append(changed, how="folder")
    return ImportSummary(
        files=files,
        changed=len(changed),
        unchanged=len(found) - len(changed),
        unknown=len(unknown),
        examples=tuple(unknown[:NAMED]),
    )


def _known(normalize: Path) -> dict[str, str]:
    """Every SHA-256 by which a picture may be met, its raw bytes' or its square's, to the id that is labelled."""
    known = {}
    for row in verified.read_rows(normalize, "images.jsonl"):
        known[row["id"]] = row["of"] if row["outcome"] == "duplicate" else row["id"]
        if row["outcome"] == "kept":
            known[row["sha256"]] = row["id"]
    return known


def _files(**folders: Path | None) -> Iterator[tuple[str, Path]]:
    """Every visible file below each folder, with the folder's label."""
    for label, folder in folders.items():
        if folder is None:
            continue
        if not folder.is_dir():
            raise UserError(f"--{label} {folder}: there is no such folder")
        paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
        yield from ((label, path) for path in paths if not path.name.startswith("."))
