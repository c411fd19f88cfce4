"""A budget of disk: delete what is oldest until the datasets have at most so many bytes, and what is older than so
many days.

What may go, oldest first: artifacts that are not current, what stopped runs left, sheets of trainings that are gone,
and then pictures that no download artifact uses. Samples that pages have drawn go first. What stays: all that `cleanup`
keeps, labels and their snapshots, the squares and pictures that labels speak of, and the newest run record.
"""

import os
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from pipeline import night_record
from pipeline.dataset_names import NIGHTS
from pipeline.errors import DamagedState, UserError, of_system
from pipeline.night_record import NEWS, PLAN, NightPlan
from pipeline.report.night_words import GIB, size_words
from pipeline.run_process import is_at_work
from pipeline.store.artifacts import PACKED, load, packed_files
from tasks import cleanup, gallery_updates, label_snapshots, paths, run_log
from tasks.dataset_archive import ROOTS, Place, measure
from tasks.run_pipeline import RunPipeline
from tasks.stage_task import StageTask

DAY = 86_400.0  # seconds
MOST_RUNS = 1_000_000  # of a dataset that are looked at
# What people call what is in the folders of a dataset
KINDS = {
    "data/raw": "pictures",
    "data/download": "lists of pictures",
    "data/normalize": "squares",
    "data/runs": "run records",
    "models/gan": "trained generators",
    "models/classifier": "classifiers",
    "generated/generate": "samples",
    "generated/training": "sample sheets",
    "generated/report": "reports",
}


@dataclass(frozen=True, kw_only=True)
class Removable:
    """Something that may be deleted, with what belongs to it."""

    paths: tuple[Path, ...]
    made: float  # seconds since 1970
    size: int
    is_of_stage: bool = False  # an artifact, what a stopped run left of one, or its pixels: a run may begin to use it

    def delete(self) -> bool:
        """Delete it; returns false if it stays, as a run uses it by now."""
        if self.is_of_stage and not cleanup.delete_of_stage(self.paths[0]):
            return False
        for path in self.paths:
            cleanup.delete(path)
        return True


@dataclass(kw_only=True)
class Freed:
    """What was deleted, or would be, and what the datasets have left."""

    removed: dict[Path, int] = field(default_factory=dict)  # bytes of each
    left: int = 0  # bytes
    over: int = 0  # bytes above the budget
    in_use: dict[str, int] = field(default_factory=dict)  # bytes of what stays by kind, if it is over
    notes: list[str] = field(default_factory=list)  # datasets that were left alone, and why

    @property
    def bytes(self) -> int:
        """How many bytes were freed."""
        return sum(self.removed.values())

    def budget_line(self) -> str:
        """One line if the budget could not be kept: by how much, and what has the space; empty if it is kept."""
        if not self.over:
            return ""
        kinds = ", ".join(f"{size_words(size)} {kind}" for kind, size in list(self.in_use.items())[:4])
        return f"the budget is exceeded by {size_words(self.over)}; all that is left is in use: {kinds}"


def keep_within(
    datasets: Sequence[str],
    *,
    gib: float = 0.0,
    days: float = 0.0,
    settings: Mapping[str, str] | None = None,
    nights: bool = False,
    night: date | None = None,
    dry_run: bool = False,
) -> Freed:
    """Delete from `datasets` what is older than `days`, then what is oldest until they have at most `gib`.

    A dataset whose settings are wrong is left alone, as nobody knows what is current. 0 means no limit.

    Args:
        settings: The settings of a dataset as a run has them, by name, where they are not those of luigi.cfg.
        nights: Delete the records and pages of old nights too.
        night: The night that is at work, which stays.
        dry_run: Only find out.
    """
    freed = Freed(left=sum(size_of_dataset(name) for name in datasets))
    if not gib and not days:
        return freed
    starts = cleanup.named_starts()
    found = [each for name in datasets for each in _removable_of(name, (settings or {}).get(name, ""), freed, starts)]
    if days:
        old = [each for each in found if _is_older(each.made, days)]
        runs = [each for name in datasets for each in _old_runs(name, days)]
        _remove([*old, *runs, *(_old_nights(days, night) if nights else [])], freed, dry_run=dry_run)
        found = [each for each in found if each not in old]
    if gib:
        _shrink(found, datasets, freed, budget=int(gib * GIB), dry_run=dry_run)
    for name in datasets if freed.removed and not dry_run else ():
        gallery_updates.refresh(name)
    return freed


def _shrink(found: list[Removable], datasets: Sequence[str], freed: Freed, *, budget: int, dry_run: bool) -> None:
    """Delete the oldest of `found`, then pictures that nothing uses, until the budget is kept."""
    for each in sorted(found, key=lambda each: each.made):
        if freed.left <= budget:
            return
        _remove([each], freed, dry_run=dry_run)
    pictures = [each for name in datasets for each in unused_pictures(name, freed.removed.keys())]
    for each in sorted(pictures, key=lambda each: each.made):
        if freed.left <= budget:
            return
        _remove([each], freed, dry_run=dry_run)
    freed.over = max(0, freed.left - budget)
    freed.in_use = _by_kind(datasets) if freed.over else {}


def _remove(chosen: Sequence[Removable], freed: Freed, *, dry_run: bool) -> None:
    for each in chosen:
        try:
            if not dry_run and not each.delete():
                continue
        except OSError as error:
            freed.notes.append(f"not deleted: {of_system(error, each.paths[0])}")
            continue
        freed.removed[each.paths[0]] = each.size
        freed.left -= each.size


def _is_older(made: float, days: float) -> bool:
    return time.time() - made > days * DAY


def _removable_of(dataset: str, settings: str, freed: Freed, starts: set[Path]) -> list[Removable]:
    """What may be deleted of a dataset, beside its pictures, its run records, and the trainings `starts`."""
    try:
        pipeline = RunPipeline(dataset=dataset, settings=settings)
        used = cleanup.used_by_runs(dataset) | starts
        found = [each for task in pipeline.stages() for each in _of_stage(task, used)]
    except UserError as error:
        freed.notes.append(f"{dataset} is left alone: {error}")
        return []
    orphans = cleanup.orphaned_sheets(dataset, [])
    drawn = [Removable(paths=(path,), made=0.0, size=cleanup.size_of(path)) for path in cleanup.drawn_samples(dataset)]
    return [*found, *(_removable(path) for path in orphans), *drawn]


def _of_stage(task: StageTask, used: Collection[Path]) -> Iterator[Removable]:
    """The removable folders of one stage, each with the pixels or the sheets that belong to it."""
    root = task.artifact_store.root
    for path in cleanup.removable_folders(task, 0, used):
        if path.name.startswith(PACKED) and _artifact_of(path).exists():
            continue  # it goes with its artifact
        belongs = packed_files(path)
        key = cleanup.key_in(path)
        if task.stage == "gan" and not any(each != path and cleanup.key_in(each) == key for each in _folders(root)):
            sheets = paths.training_sheets(task.dataset, key)
            belongs += [sheets] if sheets.is_dir() else []
        yield _removable(path, *belongs, is_of_stage=True)


def _artifact_of(packed: Path) -> Path:
    return packed.with_name(packed.name.removeprefix(PACKED).rpartition(".")[0])


def _folders(root: Path) -> list[Path]:
    return [path for path in root.iterdir() if path.is_dir() and not path.is_symlink()]


def _removable(*found: Path, is_of_stage: bool = False) -> Removable:
    size = sum(cleanup.size_of(path) for path in found)
    return Removable(paths=found, made=_made(found[0]), size=size, is_of_stage=is_of_stage)


def _made(path: Path) -> float:
    """When an artifact was made, in seconds since 1970; of anything else, when it was changed."""
    try:
        return datetime.fromisoformat(load(path).manifest.created).timestamp()
    except (DamagedState, ValueError):
        pass
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _old_runs(dataset: str, days: float) -> list[Removable]:
    """The records of runs that are older than so many days, but the newest, those at work, and those that made what
    `latest` names."""
    latest = (paths.artifact_store(dataset, stage).latest() for stage in paths.STAGE_ROOTS)
    makers = {artifact.manifest.run for artifact in latest if artifact}
    old = (record for record in run_log.newest(dataset, most=MOST_RUNS)[1:] if _is_older(_modified(record.path), days))
    idle = (record for record in old if not is_at_work(record.state(), record.folder))
    return [_removable(record.folder) for record in idle if record.run not in makers]


def _old_nights(days: float, at_work: date | None) -> list[Removable]:
    """The records and pages of nights that are older than so many days, but the newest of each, the one `at_work`, and
    those that began and are not finished: a command may go on with them."""
    roots = [Path(root) / NIGHTS for root in ("data", "generated")]
    found = [path for root in roots for path in night_record.nights(root)[1:]]
    old = [path for path in found if _is_older(_night_began(path), days) and not _is_unfinished(path)]
    return [_removable(path) for path in old if night_record.night_of(path) != at_work]


def _records_of(night: Path) -> Path:
    return Path("data") / NIGHTS / night.name


def _is_unfinished(night: Path) -> bool:
    records = _records_of(night)
    return (records / PLAN).exists() and not (records / NEWS).exists()


def _night_began(night: Path) -> float:
    """When a night began, in seconds since 1970, maybe long after its day; without its plan the end of that day."""
    plan = night_record.read(_records_of(night) / PLAN, NightPlan)
    with suppress(ValueError):
        if plan:
            return datetime.fromisoformat(plan.began).timestamp()
    return datetime.combine(date.fromisoformat(night.name), datetime.max.time()).timestamp()


def unused_pictures(dataset: str, gone: Collection[Path] = ()) -> list[Removable]:
    """The fetched pictures that no download artifact uses but those in `gone`, and no label names.

    The crawl of the settings that had them asks for them again, as it does for any picture that is missing. Those that
    are newer than the newest artifact may be of a crawl that was stopped, which goes on with them: they stay.
    """
    store = paths.artifact_store(dataset, "download")
    if any(store.is_in_use(lock.name.removeprefix(".lock-")) for lock in store.root.glob(".lock-*")):
        return []  # a crawl that is at work may need any of them
    artifacts = [path for path in store.folders() if path not in gone]
    newest = max((_made(path) for path in artifacts), default=0.0)
    used = {name for path in artifacts for name in _names(path / "images")}
    try:
        labelled = set(label_snapshots.log(dataset).effective())
    except UserError:  # a damaged log: nobody knows which pictures it names
        return []
    raw = paths.dataset_folder(dataset) / "raw"
    pictures = (path for folder in raw.glob("[0-9a-f][0-9a-f]") for path in folder.iterdir())
    return [
        Removable(paths=(path,), made=changed, size=path.stat().st_size)
        for path in pictures
        if path.name not in used and path.stem not in labelled and 0 < (changed := _modified(path)) < newest
    ]


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def size_of_dataset(dataset: str) -> int:
    """The bytes of all that a dataset has."""
    return sum(measure(Place(name=dataset).folder(root)).bytes for root in ROOTS)


def _by_kind(datasets: Sequence[str]) -> dict[str, int]:
    """The bytes of what the datasets have by kind, the most first."""
    found: Counter[str] = Counter()
    for name in datasets:
        for root in ROOTS:
            for path in Path(root, name).glob("*"):
                if path.is_dir() and not path.is_symlink():
                    kind = KINDS.get(f"{root}/{path.name}", "other files")
                    # The pictures of `download` are those of `raw`, as far as the disk has hard links
                    found[kind] += cleanup.size_of(path) if path.name == "download" else measure(path).bytes
    return dict(found.most_common())
