"""The generators that datasets have trained, for commands and trainings that begin with one (gan.start, stylize)."""

from functools import lru_cache
from pathlib import Path

from pipeline.dataset_names import dataset_flag
from pipeline.errors import UserError
from pipeline.gan.continuation import FINAL
from pipeline.store.artifacts import Artifact
from pipeline.store.digest import of_file
from tasks import machines, paths


def of_dataset(dataset: str) -> Artifact:
    """The training that the last run of `dataset` made or used.

    Errors: `UserError` if there is no such dataset, or none of its trainings is on this machine.
    """
    paths.existing_dataset(dataset)
    if found := paths.artifact_store(dataset, "gan").last_used():
        return found
    hint = machines.how_to_fetch(dataset, "gan") or f"`python -m tasks run{dataset_flag(dataset)}` trains one"
    raise UserError(f"{dataset} has no trained generator on this machine; {hint}")


def find_start(start: str, dataset: str) -> Path:
    """The checkpoint that gan.start names, by a dataset or the folder of a training, for a training of `dataset`.

    Errors: `UserError` if there is none, or it would be one of the dataset itself, which changes with each training.
    """
    if "/" in start or start in (".", ".."):
        folder = Path(start)
        if not (folder / FINAL).is_file():
            raise UserError(
                f"gan.start = {start}: there is no {FINAL} in this folder; give the folder of a training that ended,"
                " such as models/cats/gan/latest, or the name of a dataset"
            )
        return folder.resolve() / FINAL
    if start == dataset:
        raise UserError(
            f"gan.start = {start}: this is the dataset itself, whose generator each training replaces; give the folder"
            f" of one of its trainings, below models/{start}/gan"
        )
    try:
        return of_dataset(start).folder / FINAL
    except UserError as error:
        raise UserError(f"gan.start = {start}: {error}") from None


def start_content(start: str, dataset: str) -> dict[str, str]:
    """What the setting gan.start adds to the content of the stage: the digest of the checkpoint."""
    return {"start": _digest(*_stamp(find_start(start, dataset)))} if start else {}


def _stamp(path: Path) -> tuple[Path, int, int]:
    stat = path.stat()
    return path, stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=8)
def _digest(path: Path, size: int, changed: int) -> str:
    return of_file(path)
