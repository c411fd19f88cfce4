"""Garbage collection: find old artifacts that may be deleted, and delete them.

`collect_garbage` keeps a number of artifacts of each stage; `disk_budget` keeps within bytes and days; `delete_shared`
deletes from the storage of several machines by age.
"""

import os
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from itertools import chain
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import UserError
from pipeline.run_process import is_at_work
from pipeline.run_record import RunOptions, read_events
from pipeline.store.artifacts import PACKED, WORK, Artifact, ArtifactStore
from pipeline.store.remote_cleanup import delete_old
from tasks import gallery_updates, label_snapshots, paths, run_log, settings
from tasks.run_pipeline import RunPipeline
from tasks.stage_task import StageTask

FETCHED = f"{WORK}fetch-"  # begins the name of a folder that is filled from the storage of several machines
MOST_AT_WORK = 50  # runs of a dataset, the newest, among which those at work are looked for
DRAWN = "cache"  # the folder of a dataset with the samples that pages have drawn, see `pipeline.web.drawing`


def collect_garbage(pipeline: RunPipeline, *, keep: int, dry_run: bool = False) -> dict[Path, int]:
    """Delete all artifacts except the `keep` newest of each stage, those of the last run and those of the
    current settings; and what pages have drawn, which is drawn again when somebody asks for it.

    Pictures, the label log and the run logs are never deleted, nor is anything that another run makes or reads now, nor
    squares that labels speak of and no other artifact has.

    Returns:
        The size of each deleted folder in bytes.

    Raises:
        UserError: If `keep` is negative, or nobody knows what a run at work reads.
    """
    if keep < 0:
        raise UserError(f"--keep {keep}: expected a whole number, at least 0, for example 3")
    used = used_by_runs(pipeline.dataset) | named_starts()
    sizes = {path: size_of(path) for task in pipeline.stages() for path in removable_folders(task, keep, used)}
    removed = {path: size for path, size in sizes.items() if dry_run or delete_of_stage(path)}
    for path in [*orphaned_sheets(pipeline.dataset, list(removed)), *drawn_samples(pipeline.dataset)]:
        removed[path] = size_of(path)
        if not dry_run:
            delete(path)
    if not dry_run:
        gallery_updates.refresh(pipeline.dataset)
    return removed


def delete_shared(
    pipeline: RunPipeline, *, days: float, dry_run: bool = False, tell: Callable[[str], None]
) -> dict[str, int]:
    """Delete from the storage that machines share what is older than `days`, except the newest artifact of each stage
    and those of the current settings and of the last run here; `tell` gets a line about what is left alone.

    Returns:
        The bytes of each deleted name of the storage.
    """
    before = datetime.now(timezone.utc) - timedelta(days=days)
    removed: dict[str, int] = {}
    for task in pipeline.stages():
        store = task.artifact_store
        if store.remote:
            latest = store.latest()
            keep = [key for key in (task.key(), latest.manifest.key if latest else None) if key]
            removed |= delete_old(store.remote, before=before, keep=keep, dry_run=dry_run, tell=tell)
    return removed


def named_starts() -> set[Path]:
    """The artifacts of trainings with which datasets begin theirs, by the folder that their `gan.start` names."""
    datasets, named = paths.datasets(), set()
    for dataset in datasets:
        with suppress(UserError):  # settings that are wrong: a run of that dataset says so
            start = settings.resolve(dataset, {})["gan"].start
            if "/" in start:
                named.add(Path(start).resolve())
    stores = [paths.artifact_store(dataset, "gan") for dataset in datasets] if named else []
    return {folder for store in stores for folder in store.folders() if folder.resolve() in named}


def drawn_samples(dataset: str) -> list[Path]:
    """The folder of what pages have drawn, if there is one."""
    folder = paths.dataset_folder(dataset) / DRAWN
    return [folder] if folder.is_dir() else []


def used_by_runs(dataset: str) -> set[Path]:
    """The folders of the artifacts that runs at work have made, or read: a stage holds the lock of its own key alone.

    Errors: `UserError` if a run at work does not say what it was asked for, so nobody knows what it reads.
    """
    at_work = [each for each in run_log.newest(dataset, MOST_AT_WORK) if is_at_work(each.state(), each.folder)]
    found = (task.published() for record in at_work for task in _stages_of(dataset, record))
    return {artifact.folder for artifact in found if artifact}


def _stages_of(dataset: str, record: run_log.RunLog) -> list[StageTask]:
    """The stages of a recorded run, with the settings and the labels that it has."""
    asked = next((each.row() for each in read_events(record.path) if isinstance(each, RunOptions)), None)
    if asked is None:
        raise UserError(f"nobody knows what the run at work in {record.folder} reads; try again when it has ended")
    given = {name: str(asked.get(name) or "") for name in ("settings", "labels", "forced")}
    return RunPipeline(dataset=dataset, run_name=record.run, once=bool(asked.get("once")), **given).stages()


def removable_folders(task: StageTask, keep: int, used: Collection[Path]) -> list[Path]:
    """The folders of one stage that may be deleted, if the `keep` newest stay: never what is current, being made or
    `used`: see `used_by_runs` and `named_starts`.
    """
    store, key = task.artifact_store, task.key() or ""
    current = {each.folder for each in (task.published(), store.find(key, unfinished=True), store.latest()) if each}
    current |= {*used, *_last_used_with_origins(task.dataset)}
    finished = [published.folder for published in store.all()]
    broken = [path for path in store.folders() if path not in finished]
    unfinished = [path for path in store.root.glob(f"{WORK}*") if path.is_dir() and path != store.work_path(key)]
    if not key:  # unknown until the stages before it are done
        unfinished = []
    candidates = [*finished[: max(0, len(finished) - keep)], *broken, *unfinished]
    removable = [folder for folder in candidates if folder not in current and not store.is_in_use(key_in(folder))]
    if removable and task.stage == "normalize":
        removable = _without_labelled(
            task.dataset, removable, [each for each in store.folders() if each not in removable]
        )
    return removable + orphaned_pixels(store.root, removable)


def _last_used_with_origins(dataset: str) -> set[Path]:
    """The artifacts that the last run used, and those that these were made from, which a run that was stopped may have
    left behind: an export of its squares needs their download, which knows URLs and licences.
    """
    stores = [paths.artifact_store(dataset, stage) for stage in paths.STAGE_ROOTS]
    newest = {digest: artifact for store in stores for artifact in store.all() for digest in _digests(artifact)}
    waiting = [latest for store in stores if (latest := store.latest())]
    found: set[Path] = set()
    while waiting:
        artifact = waiting.pop()
        if artifact.folder not in found:
            found.add(artifact.folder)
            waiting += [newest[digest] for digest in artifact.manifest.inputs.items() if digest in newest]
    return found


def _digests(artifact: Artifact) -> list[tuple[str, str]]:
    """The digests of its outputs, as the inputs of a later stage name them."""
    return [(f"{artifact.manifest.stage}.{name}", digest) for name, digest in artifact.manifest.outputs.items()]


def _without_labelled(dataset: str, removable: list[Path], stays: list[Path]) -> list[Path]:
    """`removable` without the folders that alone have a square that a label speaks of, the newest of them first."""
    missing = {
        id for id in label_snapshots.log(dataset).effective() if not any(_has_square(each, id) for each in stays)
    }
    found = []
    for folder in reversed(removable):
        here = {id for id in missing if _has_square(folder, id)}
        missing -= here
        found += [] if here else [folder]
    return found[::-1]


def _has_square(folder: Path, id: str) -> bool:
    return (folder / "images" / f"{id}.png").exists()


def orphaned_pixels(root: Path, removed: list[Path]) -> list[Path]:
    """Packed files of squares whose artifact has been deleted."""
    remaining = {path.name for path in root.glob("*") if path not in removed}
    return [
        path for path in root.glob(f"{PACKED}*") if path.name.removeprefix(PACKED).rpartition(".")[0] not in remaining
    ]


def key_in(folder: Path) -> str:
    """The part of the content key that is in the name of `folder`."""
    return folder.name.removeprefix(WORK).partition(".")[0]


def orphaned_sheets(dataset: str, removed: list[Path]) -> list[Path]:
    """Folders of sample sheets whose training has been deleted."""
    gan_folder = paths.artifact_store(dataset, "gan").root
    trainings = [path for path in (*gan_folder.glob("*"), *gan_folder.glob(f"{WORK}*")) if path not in removed]
    remaining = {path.name.removeprefix(WORK).partition(".")[0] for path in trainings if path.is_dir()}
    folders = paths.training_sheets(dataset, "").glob("*")
    return [path for path in folders if path.is_dir() and not path.is_symlink() and path.name not in remaining]


def size_of(folder: Path) -> int:
    """Bytes that deleting `folder`, or a file, frees: files that are hard links stay elsewhere."""
    stats = (path.stat() for path in chain([folder], folder.rglob("*")) if path.is_file())
    return sum(stat.st_size for stat in stats if stat.st_nlink == 1)


def delete_of_stage(path: Path) -> bool:
    """Delete an artifact, what a stopped run left of one, or a file of pixels; returns false if it stays: since it was
    found to be removable, a run has begun to make it, or to use it.
    """
    if path.name.startswith(PACKED):
        delete(path)
        return True
    lock, store = _lock_of(path), ArtifactStore(path.parent)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    except OSError:
        if os.path.lexists(lock.lock_file):
            return False  # it may be held
        # Without the file nobody holds the lock: a full disk does not take a new file
    try:
        latest = store.latest()
        if latest and latest.folder == path:
            return False
        delete(path)
        return True
    finally:
        lock.release()


def _lock_of(folder: Path) -> FileLock:
    """The lock of the process that makes the artifact `folder`, or works in the folder of that work."""
    fetched = folder.name.startswith(FETCHED)
    return FileLock(folder.with_name(f".lock-{folder.name.removeprefix(WORK) if fetched else key_in(folder)}"))


def delete(folder: Path) -> None:
    """Delete a folder or a file. What another process has deleted meanwhile is no error."""
    if folder.is_file():
        folder.unlink()
    elif os.path.lexists(folder):
        ArtifactStore(folder.parent).discard(folder)
