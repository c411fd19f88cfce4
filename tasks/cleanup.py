"""Old results: which may go, and deleting them."""

import os
import shutil
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import UserError
from pipeline.store.artifacts import WORK
from tasks import paths
from tasks.run_pipeline import RunPipeline
from tasks.stage_task import StageTask


def collect_garbage(pipeline: RunPipeline, *, keep: int, dry_run: bool = False) -> dict[Path, int]:
    """Delete all but the `keep` newest folders of each stage, and those that the settings name; bytes by folder.

    Raw images, the label log and the record of runs are never touched, nor what another run is making right now.
    """
    if keep < 0:
        raise UserError(f"--keep {keep}: expected a whole number, at least 0, for example 3")
    old = [folder for task in pipeline.stages() for folder in _old(task, keep)]
    old += _old_sheets(pipeline.dataset, old)
    sizes = {folder: _size(folder) for folder in old}
    for folder in [] if dry_run else old:
        _delete(folder)
    return sizes


def _old(task: StageTask, keep: int) -> list[Path]:
    """The folders of one stage that may go."""
    current, making = task.published(), task.shelf.work_path(task.key() or "")
    finished = [published.folder for published in task.shelf.all()]
    broken = [path for path in task.shelf.folders() if path not in finished]
    begun = [path for path in task.shelf.root.glob(f"{WORK}*") if path.is_dir() and path != making]
    if task.key() is None:  # what is current shows only when the stages before it are done
        latest = (task.shelf.root / "latest").resolve()
        finished, begun = [path for path in finished if path.resolve() != latest], []
    candidates = [*finished[: max(0, len(finished) - keep)], *broken, *begun]
    return [folder for folder in candidates if not (current and folder == current.folder) and not _in_use(folder)]


def _in_use(folder: Path) -> bool:
    """Whether a run holds the lock of the key that `folder` is named by."""
    key = folder.name.removeprefix(WORK).partition(".")[0]
    lock = folder.parent / f".lock-{key}"
    if not lock.exists():  # nobody makes it; a full disk has no room for the file of a lock
        return False
    try:
        FileLock(lock).acquire(timeout=0).lock.release()
    except Timeout:
        return True
    return False


def _old_sheets(dataset: str, removed: list[Path]) -> list[Path]:
    """Sample sheets of trainings of which nothing else is left."""
    shelf = paths.shelf(dataset, "gan").root
    left = {path.name.removeprefix(WORK) for path in shelf.glob("*") if path.is_dir() and path not in removed}
    left |= {path.name.removeprefix(WORK) for path in shelf.glob(f"{WORK}*") if path not in removed}
    folders = paths.training_sheets(dataset, "").glob("*")
    return [folder for folder in folders if folder.is_dir() and folder.name not in left]


def _size(folder: Path) -> int:
    """Bytes that are free once `folder` is gone: raw images are elsewhere too, and stay there."""
    found = [path.stat() for path in folder.rglob("*") if path.is_file()]
    return sum(each.st_size for each in found if each.st_nlink == 1)


def _delete(folder: Path) -> None:
    """Take the name away first: a folder half deleted must not pass for a whole one."""
    doomed = folder.with_name(f"{WORK}doomed-{folder.name}")
    os.rename(folder, doomed)
    shutil.rmtree(doomed)
