"""The generators that datasets have trained, for commands and trainings that begin with one (gan.start, stylize)."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pipeline.dataset_names import dataset_flag
from pipeline.errors import UserError
from pipeline.gan.continuation import FINAL
from pipeline.gan.training.checkpoint_outline import load_outline
from pipeline.store.artifacts import Artifact
from pipeline.store.digest import of_file
from pipeline.store.npz import UnusableFile
from tasks import machines, paths


def of_dataset(dataset: str) -> Artifact:
    """The training that the last run of `dataset` made or used.

    Errors: `UserError` if there is no such dataset, or none of its trainings is whole on this machine.
    """
    paths.existing_dataset(dataset)
    if found := paths.artifact_store(dataset, "gan").last_used():
        return found
    if damaged := paths.artifact_store(dataset, "gan").damaged():
        raise UserError(
            f"the training of {dataset} is damaged: {next(iter(damaged.values()))}; `python -m tasks rerun"
            f" gan{dataset_flag(dataset)}` trains again"
        )
    hint = machines.how_to_fetch(dataset, "gan") or f"`python -m tasks run{dataset_flag(dataset)}` trains one"
    raise UserError(f"{dataset} has no trained generator on this machine; {hint}")


class MissingStart(UserError):
    """There is no such training on this machine, or not any more."""


@dataclass(frozen=True)
class Start:
    """The training that gan.start names, as it was when a run began: its `checkpoint` and the digest of that file.

    One that is `missing`, which says why, has the digest that it had when this dataset last began with it: what is
    finished needs it no more.
    """

    setting: str
    checkpoint: Path
    digest: str
    missing: str = ""

    def require_same(self) -> Path:
        """The checkpoint. Errors: `UserError` if it is missing, or has been deleted or changed since."""
        if self.missing:
            raise UserError(self.missing)
        if self.checkpoint.is_file() and _digest_now(self.checkpoint) == self.digest:
            return self.checkpoint
        raise UserError(
            f"gan.start = {self.setting}: {self.checkpoint} was deleted or changed while the run was at earlier stages;"
            " run again"
        )

    def of_form(self, *, size: int, colour: str, conditional: bool) -> "Start":
        """Itself. Errors: `UserError` if it is known to be of pictures of another size or colour, or of classes where
        the other training has none. The rest is compared when networks are built."""
        wanted, found = (size, colour, conditional), None if self.missing else _form(self.checkpoint, self.digest)
        if found and found != wanted:
            raise UserError(
                f"gan.start = {self.setting}: that training is of {_in_words(*found)}, and this one of"
                f" {_in_words(*wanted)}; set them alike, or give another training"
            )
        return self


def find_start(start: str, dataset: str) -> Start | None:
    """The training that gan.start names, by a dataset or the folder of a training, for a training of `dataset`; None
    if the setting is empty.

    Errors: `UserError` if there is none, or if each training of the dataset itself would change it.
    """
    if not start:
        return None
    try:
        checkpoint = _checkpoint(start, dataset)
    except MissingStart as error:
        if digest := _recorded_digest(start, dataset):
            return Start(start, Path(), digest, str(error))
        raise
    return Start(start, checkpoint, _digest_now(checkpoint))


def _recorded_digest(start: str, dataset: str) -> str | None:
    """The digest of the start with which `dataset` began its last training that names `start`."""
    store = paths.artifact_store(dataset, "gan")
    trainings = [each.manifest for each in (store.latest(), *reversed(store.all())) if each]
    return next((each.inputs.get("start") for each in trainings if each.notes.get("start") == start), None)


def _checkpoint(start: str, dataset: str) -> Path:
    own = paths.artifact_store(dataset, "gan").root.resolve()
    if "/" in start or start in (".", ".."):
        folder = Path(start)
        found = folder.resolve()
        if not (found / FINAL).is_file():
            raise MissingStart(
                f"gan.start = {start}: there is no {FINAL} in this folder; give the folder of a training that ended,"
                " such as models/cats/gan/latest, or the name of a dataset"
            )
        if found.parent == own and folder.name != found.name:
            named = f"models/{dataset}/gan/{found.name}"
            raise UserError(_is_its_own(start, f"the last training of {dataset} itself", named))
        return found / FINAL
    if start == dataset:
        raise UserError(_is_its_own(start, "the dataset itself", f"models/{dataset}/gan/<training>"))
    try:
        found = of_dataset(start).folder.resolve() / FINAL
    except UserError as error:
        raise MissingStart(f"gan.start = {start}: {error}") from None
    if not found.is_file():
        raise MissingStart(
            f"gan.start = {start}: {found} is missing, so the training is damaged; `python -m tasks rerun gan"
            f"{dataset_flag(start)}` trains again"
        )
    return found


def _is_its_own(start: str, what: str, instead: str) -> str:
    return (
        f"gan.start = {start}: this is {what}, which each run would train again; give the folder of one of its"
        f" trainings, {instead}"
    )


@lru_cache(maxsize=8)
def _form(checkpoint: Path, digest: str) -> tuple[int, str, bool] | None:
    """Side and colour of the pictures of a training, and whether it is conditional; None if the file does not say."""
    try:
        origin = load_outline(checkpoint).origin
    except (OSError, UnusableFile):  # the training itself says what is wrong
        return None
    if origin is None:
        return None
    side, _, channels = origin.shape
    return side, "grey" if channels == 1 else "rgb", origin.classes is not None


def _in_words(size: int, colour: str, conditional: bool) -> str:
    definition = f"a definition that is {'' if conditional else 'not '}conditional"
    return f"normalize.size = {size}, normalize.colour = {colour} and {definition}"


def _digest_now(path: Path) -> str:
    stat = path.stat()
    return _digest(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=8)
def _digest(path: Path, size: int, changed: int) -> str:
    return of_file(path)
