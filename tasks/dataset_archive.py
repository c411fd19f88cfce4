"""Datasets off the list and back on it: what each has, archiving it, restoring it, and deleting it for good.

data/.dropped/cats-20260102-030405/    an archive: the dataset's folders, moved there as they were
    data/  models/  generated/
"""

import os
import re
import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from pipeline.errors import UserError
from pipeline.labels.log import LabelLog
from pipeline.option_types import nearest
from pipeline.report.trainings import Trainings
from pipeline.run_process import is_at_work
from pipeline.text import counted
from tasks import paths, run_log

ARCHIVES = ".dropped"
ARCHIVE_NAME = re.compile(r"(.+)-(\d{8}-\d{6})")
DOOMED = ".doomed-"  # what an interrupted `delete` left; not an archive any more
ROOTS = ("models", "generated", "data")  # the folder in data/ makes a dataset: it goes last, and comes back last


@dataclass(frozen=True, kw_only=True)
class Holdings:
    """What one dataset has, and where it is: what would be lost with it."""

    name: str
    archive: str  # the folder of an archived one, empty for a dataset on the list
    archived: str  # when, ISO 8601, UTC
    at_work: bool
    labels: int | None  # None if the log cannot be read
    pictures: int
    uploads: int
    trainings: int
    bytes: int

    def line(self) -> str:
        """What there is in words: `80 labels, 667 pictures, 1 training, 45.1 MB`."""
        labels = "labels that cannot be read" if self.labels is None else counted(self.labels, "label")
        parts = [labels, counted(self.pictures, "picture")]
        parts += [f"{self.uploads:,} uploaded"] if self.uploads else []
        return ", ".join([*parts, counted(self.trainings, "training"), size_words(self.bytes)])


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the folders of a dataset are: in the working folder, or in an archive."""

    name: str
    archive: str = ""

    def folder(self, root: str) -> Path:
        """The folder of the dataset that belongs into `root`, which is data, models or generated."""
        return archives() / self.archive / root if self.archive else Path(root) / self.name

    def holdings(self) -> Holdings:
        """Count and measure what is there; reads the names and sizes of all files."""
        data = self.folder("data")
        found = ARCHIVE_NAME.fullmatch(self.archive)
        time = datetime.strptime(found[2], "%Y%m%d-%H%M%S").replace(tzinfo=timezone.utc) if found else None
        return Holdings(
            name=self.name,
            archive=self.archive,
            archived=time.isoformat() if time else "",
            at_work=not self.archive and running_process(self.name) is not None,
            labels=_count_labels(data / "labels.jsonl"),
            pictures=measure(data / "raw").files,
            uploads=measure(data / "uploads").files,
            trainings=len(Trainings(self.folder("generated")).all()),
            bytes=sum(measure(self.folder(root)).bytes for root in ROOTS),
        )


def archives() -> Path:
    """The folder of all archives."""
    return paths.dataset_folder(ARCHIVES)


def places() -> list[Place]:
    """All datasets on the list, then all archives, the newest first."""
    listed = [Place(name=name) for name in paths.datasets()]
    return listed + archived_places()


def archived_places() -> list[Place]:
    """All archives, the newest first."""
    folders = archives().iterdir() if archives().is_dir() else ()
    names = [path.name for path in folders if path.is_dir() and not path.name.startswith(DOOMED)]
    found = [each for name in names if (each := ARCHIVE_NAME.fullmatch(name))]
    found.sort(key=lambda each: str(each[2]), reverse=True)
    return [Place(name=each[1], archive=each[0]) for each in found]


def find_place(name: str, *, archived: bool = False) -> Place:
    """The dataset `name`, or the newest archive of it, or the archive whose folder has this name; with `archived` only
    an archive.

    Errors: `UserError` with the nearest name.
    """
    known = archived_places() if archived else places()
    exact = next((each for each in known if name == (each.archive or each.name)), None)
    if found := exact or next((each for each in known if each.name == name), None):
        return found
    names = {each.archive or each.name for each in known} | {each.name for each in known}
    what = "archive of a dataset" if archived else "dataset"
    raise UserError(f"there is no {what} '{name}'" + (f"; {nearest(name, names)}" if names else " yet"))


def running_process(dataset: str) -> int | None:
    """The process of a run of `dataset` that is at work, or None."""
    for record in run_log.newest(dataset):
        state = record.state()
        if is_at_work(state, record.folder):
            return state.pid
    return None


def archive(dataset: str) -> Path:
    """Move all folders of `dataset` into one folder below data/.dropped, whose path it returns.

    Errors: `UserError` if a run of the dataset is at work.
    """
    _refuse_while_at_work(dataset)
    folder = archives() / f"{dataset}-{datetime.now(timezone.utc):%Y%m%d-%H%M%S}"
    if folder.exists():
        raise UserError(f"{folder} is there already: a dataset of this name was archived in this second; try again")
    place = Place(name=dataset)
    for root in ROOTS:
        if place.folder(root).is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.move(place.folder(root), folder / root)
    return folder


def restore(place: Place) -> None:
    """Move the folders of an archive back. Errors: `UserError` if a dataset of its name is there now."""
    back = Place(name=place.name)
    for root in ROOTS:
        if place.folder(root).exists() and back.folder(root).exists():
            raise UserError(f"{back.folder(root)} is there: archive or delete that dataset first, then restore")
    for root in ROOTS:
        if place.folder(root).is_dir():
            back.folder(root).parent.mkdir(exist_ok=True)
            shutil.move(place.folder(root), back.folder(root))
    (archives() / place.archive).rmdir()


def delete(place: Place) -> None:
    """Delete all that a dataset or an archive has, for good. Errors: `UserError` if a run of it is at work."""
    folder = archives() / place.archive if place.archive else archive(place.name)
    doomed = folder.with_name(f"{DOOMED}{folder.name}")  # so that what an interruption leaves is no archive
    os.rename(folder, doomed)
    for left in archives().glob(f"{DOOMED}*"):
        shutil.rmtree(left)


def size_words(size: int) -> str:
    """`812 kB`, `45.1 MB`, `3.20 GB`."""
    if size < 1_000_000:
        return f"{size / 1e3:.0f} kB"
    return f"{size / 1e6:.1f} MB" if size < 1_000_000_000 else f"{size / 1e9:.2f} GB"


def _refuse_while_at_work(dataset: str) -> None:
    if pid := running_process(dataset):
        raise UserError(f"a run of dataset '{dataset}' is at work (process {pid}); stop it first")


def _count_labels(log: Path) -> int | None:
    try:
        return len(LabelLog(log).effective())
    except (UserError, OSError):
        return None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """How many files there are, and their bytes."""

    files: int
    bytes: int


def measure(folder: Path) -> Measured:
    """How many files are below `folder`, and their bytes; a file with several names in it counts once."""
    files, size, seen = 0, 0, set()
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                found = os.lstat(os.path.join(parent, name))
            except OSError:  # a running stage deleted it
                continue
            files += 1
            if found.st_nlink == 1 or (found.st_dev, found.st_ino) not in seen:
                size += found.st_size
            if found.st_nlink > 1:
                seen.add((found.st_dev, found.st_ino))
    return Measured(files=files, bytes=size)
