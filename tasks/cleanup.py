"""Garbage collection: find old artifacts that may be deleted, and delete them."""

import os
import shutil
from pathlib import Path

from pipeline.errors import UserError
from pipeline.store.artifacts import WORK, ArtifactStore
from tasks import gallery_updates, paths
from tasks.run_pipeline import RunPipeline
from tasks.stage_task import StageTask


def collect_garbage(pipeline: RunPipeline, *, keep: int, dry_run: bool = False) -> dict[Path, int]:
    """Delete all artifacts except the `keep` newest of each stage and those of the current settings.

    Pictures, the label log and the run logs are never deleted, nor is anything that another run is making now.

    Returns:
        The size of each deleted folder in bytes.

    Raises:
        UserError: If `keep` is negative.
    """
    if keep < 0:
        raise UserError(f"--keep {keep}: expected a whole number, at least 0, for example 3")
    removable = [folder for task in pipeline.stages() for folder in _removable(task, keep)]
    removable += _orphaned_sheets(pipeline.dataset, removable)
    sizes = {folder: _size(folder) for folder in removable}
    for folder in [] if dry_run else removable:
        _delete(folder)
    if not dry_run:
        gallery_updates.refresh(pipeline.dataset)
    return sizes


def _removable(task: StageTask, keep: int) -> list[Path]:
    """The folders of one stage that may be deleted."""
    current, in_progress = task.published(), task.artifact_store.work_path(task.key() or "")
    finished = [published.folder for published in task.artifact_store.all()]
    broken = [path for path in task.artifact_store.folders() if path not in finished]
    unfinished = [path for path in task.artifact_store.root.glob(f"{WORK}*") if path.is_dir() and path != in_progress]
    if task.key() is None:  # unknown until the stages before it are done
        latest = (task.artifact_store.root / "latest").resolve()
        finished, unfinished = [path for path in finished if path.resolve() != latest], []
    candidates = [*finished[: max(0, len(finished) - keep)], *broken, *unfinished]
    return [folder for folder in candidates if not (current and folder == current.folder) and not _in_use(folder)]


def _in_use(folder: Path) -> bool:
    """Whether a run holds the lock of the content key in the name of `folder`."""
    return ArtifactStore(folder.parent).is_in_use(folder.name.removeprefix(WORK).partition(".")[0])


def _orphaned_sheets(dataset: str, removed: list[Path]) -> list[Path]:
    """Folders of sample sheets whose training has been deleted."""
    gan_folder = paths.artifact_store(dataset, "gan").root
    remaining = {path.name.removeprefix(WORK) for path in gan_folder.glob("*") if path.is_dir() and path not in removed}
    remaining |= {path.name.removeprefix(WORK) for path in gan_folder.glob(f"{WORK}*") if path not in removed}
    folders = paths.training_sheets(dataset, "").glob("*")
    return [folder for folder in folders if folder.is_dir() and folder.name not in remaining]


def _size(folder: Path) -> int:
    """Bytes that deleting `folder` frees: files that are hard links stay elsewhere."""
    stats = [path.stat() for path in folder.rglob("*") if path.is_file()]
    return sum(stat.st_size for stat in stats if stat.st_nlink == 1)


def _delete(folder: Path) -> None:
    """Delete a folder; it is renamed first, so that a partly deleted folder is not taken for a complete one."""
    deleting = folder.with_name(f"{WORK}doomed-{folder.name}")
    os.rename(folder, deleting)
    shutil.rmtree(deleting)
