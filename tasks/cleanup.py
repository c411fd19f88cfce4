"""Garbage collection: find old artifacts that may be deleted, and delete them.

`collect_garbage` keeps a number of artifacts of each stage; `disk_budget` keeps within bytes and days; `delete_shared`
deletes from the storage of several machines by age.
"""

from datetime import datetime, timedelta, timezone
from itertools import chain
from pathlib import Path

from pipeline.errors import UserError
from pipeline.store.artifacts import PACKED, WORK, Artifact, ArtifactStore
from pipeline.store.remote_cleanup import delete_old
from tasks import gallery_updates, label_snapshots, paths
from tasks.run_pipeline import RunPipeline
from tasks.stage_task import StageTask

DRAWN = "cache"  # the folder of a dataset with the samples that pages have drawn, see `pipeline.web.drawing`


def collect_garbage(pipeline: RunPipeline, *, keep: int, dry_run: bool = False) -> dict[Path, int]:
    """Delete all artifacts except the `keep` newest of each stage, those of the last run and those of the
    current settings; and what pages have drawn, which is drawn again when somebody asks for it.

    Pictures, the label log and the run logs are never deleted, nor is anything that another run is making now, nor
    squares that labels speak of and no other artifact has.

    Returns:
        The size of each deleted folder in bytes.

    Raises:
        UserError: If `keep` is negative.
    """
    if keep < 0:
        raise UserError(f"--keep {keep}: expected a whole number, at least 0, for example 3")
    removable = [folder for task in pipeline.stages() for folder in removable_folders(task, keep)]
    removable += orphaned_sheets(pipeline.dataset, removable)
    removable += drawn_samples(pipeline.dataset)
    sizes = {folder: size_of(folder) for folder in removable}
    for folder in [] if dry_run else removable:
        delete(folder)
    if not dry_run:
        gallery_updates.refresh(pipeline.dataset)
    return sizes


def delete_shared(pipeline: RunPipeline, *, days: float, dry_run: bool = False) -> dict[str, int]:
    """Delete from the storage that machines share what is older than `days`, except the newest artifact of each stage
    and those of the current settings and of the last run here.

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
            removed |= delete_old(store.remote, before=before, keep=keep, dry_run=dry_run)
    return removed


def drawn_samples(dataset: str) -> list[Path]:
    """The folder of what pages have drawn, if there is one."""
    folder = paths.dataset_folder(dataset) / DRAWN
    return [folder] if folder.is_dir() else []


def removable_folders(task: StageTask, keep: int) -> list[Path]:
    """The folders of one stage that may be deleted, if the `keep` newest stay: never what is current or being made."""
    store, key = task.artifact_store, task.key() or ""
    current = {used.folder for used in (task.published(), store.find(key, unfinished=True), store.latest()) if used}
    finished = [published.folder for published in store.all()]
    broken = [path for path in store.folders() if path not in finished]
    unfinished = [path for path in store.root.glob(f"{WORK}*") if path.is_dir() and path != store.work_path(key)]
    if not key:  # unknown until the stages before it are done
        unfinished = []
    current |= _last_used_with_origins(task.dataset)
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


def delete(folder: Path) -> None:
    """Delete a folder or a file."""
    if folder.is_file():
        folder.unlink()
        return
    ArtifactStore(folder.parent).discard(folder)
