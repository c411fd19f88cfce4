"""The folder of a saved or running training: read it, write it, copy it."""

import contextlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.devices import ComputeMode
from pipeline.errors import DamagedState, UserError
from pipeline.gan.class_names import CLASSES, names_digest, read_names, write_names
from pipeline.gan.config import Definition, as_tree, definition_digest, read_definition
from pipeline.gan.config.loading import NamedDefinition
from pipeline.gan.config.resolutions import check_weight_bytes
from pipeline.gan.sampling import SHEETS, sheet_name
from pipeline.gan.stats_log import MAX_EPOCH, MAX_FILE_BYTES, STATS, StatsLog
from pipeline.gan.training.checkpoint import BEST, checkpoints, load_arrays, read_newest, save_checkpoint, write_arrays
from pipeline.gan.training.checkpoint_outline import CheckpointOutline, Origin, load_outline
from pipeline.gan.training.loop import CHECKPOINTS, FINAL, Trainer
from pipeline.gan.training.resume_point import ResumePoint
from pipeline.store import manifest as manifests
from pipeline.store.atomic import write_whole
from pipeline.store.npz import Arrays, DamagedFile, ForeignFile

DEFINITION = "definition.json"
COPIED_FILES = (STATS, BEST)  # files that a resumed training reads beside its checkpoint
COPIED_FOLDERS = (SHEETS, "plots")


@dataclass(frozen=True)
class SavedTraining:
    """A training in a folder: its definition, the names of its classes, and its checkpoints of one origin, the latest
    first.

    The weights are read by `load`, after the networks are built.
    """

    folder: Path
    definition: Definition
    class_names: tuple[str, ...]
    outlines: tuple[CheckpointOutline, ...]

    @property
    def origin(self) -> Origin:
        """What the training is of, as its latest checkpoint records it."""
        origin = self.outlines[0].origin
        assert origin is not None  # `find` skips checkpoints without one
        return origin

    @property
    def named(self) -> NamedDefinition:
        """The definition and its name."""
        return NamedDefinition(name=self.origin.name, definition=self.definition)

    @property
    def step(self) -> int:
        """Steps done, if the latest checkpoint is intact."""
        return self.outlines[0].steps_done

    def load(self, read: Callable[[Path], ResumePoint]) -> ResumePoint:
        """The result of `read` for the latest intact checkpoint. Errors: `DamagedState` if there is none."""
        try:
            found = read_newest([outline.path for outline in self.outlines], read)
        except ForeignFile as error:
            raise DamagedState(f"{error}, so training cannot resume from it; use another copy") from None
        if found is None:
            raise DamagedState(_cannot_resume(self.folder))
        return found

    def copy_to(self, folder: Path, point: ResumePoint) -> None:
        """Copy this training to the new `folder`, to resume there at `point`, which was read from this one."""
        _copy_history(self.folder, folder, point.arrays)
        save_checkpoint(folder / CHECKPOINTS, point.steps_done, point.arrays)


def read_saved(folder: Path) -> SavedTraining:
    """Read the training in `folder`, which `Dcgan.save`, the stage gan or an interrupted training wrote.

    It needs little memory, and refuses a definition whose networks are larger than the files. Errors: a `UserError` if
    there is no training, or it is damaged.
    """
    if not (folder / DEFINITION).is_file():
        raise UserError(f"{folder} holds no GAN: there is no {DEFINITION}")
    definition, names = read_definition(folder / DEFINITION), read_names(folder)
    if not (outlines := _outlines(folder)):
        if not holds_training(folder):
            raise UserError(f"{folder}: the training was interrupted before its first checkpoint; start it again")
        raise DamagedState(_cannot_resume(folder))
    latest, digest = outlines[0], definition_digest(definition)
    if latest.origin is None:
        raise DamagedState(f"{latest.path} is of an earlier version of this program; {_alternative(folder)}")
    if (latest.origin.definition or digest) != digest:
        raise DamagedState(f"{folder}: its checkpoint and {DEFINITION} do not belong together; use another copy")
    if latest.origin.classes != names_digest(names) or definition.conditional != bool(names):
        raise DamagedState(f"{folder}: its checkpoint and {CLASSES} do not belong together; use another copy")
    size, _, channels = latest.origin.shape
    try:
        check_weight_bytes(definition, latest.bytes, size=size, channels=channels)
    except ForeignFile as error:
        mismatch = f"its checkpoint and {DEFINITION} do not belong together; use another copy"
        raise DamagedState(f"{latest.path} {error}: {mismatch}") from None
    own = tuple(each for each in outlines if latest.origin.is_same_training(each.origin))
    return SavedTraining(folder, definition, names, own)


def recorded_compute_mode(folder: Path) -> ComputeMode | None:
    """The compute mode of the interrupted training in `folder`; None if there is none, or it is not recorded."""
    with contextlib.suppress(DamagedState):  # resuming reports the damage
        return next((outline.origin.compute_mode for outline in _outlines(folder) if outline.origin), None)
    return None


def _outlines(folder: Path) -> list[CheckpointOutline]:
    """The outlines of the readable checkpoints in `folder`, the latest first.

    Errors: `DamagedState` if none is readable, and one is intact but not a checkpoint of this program.
    """
    found, foreign = [], []
    for path in (folder / FINAL, *checkpoints(folder / CHECKPOINTS)):
        try:
            found.append(load_outline(path))
        except ForeignFile as error:
            foreign.append(f"{path} {error}; {_alternative(folder)}")
        except DamagedFile:
            continue
    if foreign and not found:
        raise DamagedState(foreign[0])
    return sorted(found, key=lambda each: each.steps_done, reverse=True)


def holds_checkpoint(folder: Path) -> bool:
    """Whether there is a checkpoint in `folder`, intact or not."""
    return (folder / FINAL).exists() or any((folder / CHECKPOINTS).glob("step-*"))


def take_over(source: Path, folder: Path, *, epochs: int | None) -> bool:
    """Copy the training in `source` to `folder`, which has no checkpoint, to continue it there until `epochs`.

    Returns whether `source` has an intact checkpoint; if not, nothing is copied.
    """
    with contextlib.suppress(ForeignFile):
        if arrays := read_newest([source / FINAL, *checkpoints(source / CHECKPOINTS)], load_arrays):
            _copy_history(source, folder, arrays)
            _forget_last_sheet(folder, epochs=epochs)
            save_checkpoint(folder / CHECKPOINTS, int(arrays["step"]), arrays)
            return True
    return False


def _forget_last_sheet(folder: Path, *, epochs: int | None) -> None:
    """Forget the sheet and scores that an epoch before `epochs` has only because the training ended there."""
    log = StatsLog(folder / STATS, epochs_done=epochs or MAX_EPOCH)
    goes_on = epochs is None or (bool(log.rows) and log.rows[-1]["epoch"] < epochs)
    if goes_on and (epoch := log.forget_last()):
        (folder / SHEETS / sheet_name(epoch)).unlink(missing_ok=True)
    log.close()


def write_definition(definition: Definition, folder: Path, class_names: Sequence[str] = ()) -> None:
    """Write `definition` as definition.json into `folder`, with every default, and the names of the classes, if any."""
    text = json.dumps(as_tree(definition), indent=2) + "\n"
    write_whole(folder / DEFINITION, text.encode())
    write_names(class_names, folder)


def write_training(training: Trainer, folder: Path) -> None:
    """Write into `folder` all that resuming needs, with the last checkpoint as final.npz.

    If the process is killed, the folder holds the earlier or the later training, or none if there was none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    is_other_folder = folder.resolve() != training.folder.resolve()
    write_definition(training.definition, folder, training.classes.names if training.classes else ())
    arrays = training.arrays()
    if is_other_folder:
        _copy_history(training.folder, folder, arrays)
    write_arrays(folder / FINAL, arrays)
    if is_other_folder:  # checkpoints of an earlier training in this folder
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)


def check_target(folder: Path) -> None:
    """Raise a `UserError` unless `folder` is new, is empty, or holds a GAN that may be replaced."""
    if (folder / manifests.NAME).exists():
        raise UserError(f"{folder} is a finished folder of the pipeline, which never changes; name another folder")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / DEFINITION).is_file():
        raise UserError(f"{folder} is not empty and holds no GAN; name another folder")


def holds_training(folder: Path) -> bool:
    """Whether there is a training in `folder`, intact or not; one without a checkpoint has not begun."""
    lines = folder / STATS
    return (
        holds_checkpoint(folder) or (folder / manifests.NAME).exists() or (lines.is_file() and lines.stat().st_size > 0)
    )


def final_to_checkpoint(training: Trainer, folder: Path) -> None:
    """Turn the final.npz in `folder`, written of `training` as it is, into a checkpoint that later ones may follow."""
    save_checkpoint(folder / CHECKPOINTS, training.steps_done, training.arrays())
    (folder / FINAL).unlink()


def _copy_history(source: Path, target: Path, arrays: Arrays) -> None:
    """Copy statistics, best weights, sheets and plots to `target`, and delete others there.

    They must be there before the checkpoint, which will hold `arrays`: resuming drops rows after the checkpoint, but
    cannot restore missing ones.
    """
    target.mkdir(parents=True, exist_ok=True)
    max_bytes = max(MAX_FILE_BYTES, sum(array.nbytes for array in arrays.values()))
    for name in COPIED_FILES:
        _copy(source / name, target / name, max_bytes)
    for name in COPIED_FOLDERS:
        if shown := {path.name for folder in (source, target) for path in (folder / name).glob("*")}:
            (target / name).mkdir(exist_ok=True)
        for each in shown:
            _copy(source / name / each, target / name / each, max_bytes)


def _copy(source: Path, target: Path, max_bytes: int) -> None:
    """Copy `source` to `target` atomically; delete `target` if `source` is no file of at most `max_bytes`.

    A symbolic link is not copied: its target is not part of the folder.
    """
    if source.is_file() and not source.is_symlink() and source.stat().st_size <= max_bytes:
        write_whole(target, source.read_bytes())
    else:
        target.unlink(missing_ok=True)


def _cannot_resume(folder: Path) -> str:
    state = "is damaged" if (folder / FINAL).exists() else "is missing"
    return f"{folder / FINAL} {state}, so training cannot resume; {_alternative(folder)}"


def _alternative(folder: Path) -> str:
    generator = folder / "generator.keras"
    return f"{generator} can still generate samples" if generator.is_file() else "use another copy"
