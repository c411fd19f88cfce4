"""The folder that a training leaves, or lives in: what of it says all that going on depends on."""

import contextlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.devices import ComputeMode
from pipeline.errors import DamagedState, UserError
from pipeline.gan.config import Definition, as_tree, definition_digest, read_definition
from pipeline.gan.config.loading import NamedDefinition
from pipeline.gan.config.resolutions import check_extent
from pipeline.gan.stats_log import MOST, STATS
from pipeline.gan.training.checkpoint import BEST, checkpoints, newest, save_checkpoint, write_arrays
from pipeline.gan.training.loop import CHECKPOINTS, FINAL, Trainer
from pipeline.gan.training.resume_point import CheckpointOutline, Origin, ResumePoint, load_outline
from pipeline.images.png import write_whole
from pipeline.store import manifest as manifests
from pipeline.store.npz import Arrays, Damaged, Foreign

DEFINITION = "definition.json"
KEPT = (STATS, BEST)  # what a training reads again beside its checkpoint
SHOWN = ("samples", "plots")


@dataclass(frozen=True)
class SavedTraining:
    """What the folder of a training says that it holds: the definition, and checkpoints of one origin, the latest
    first. Their weights are read by `load`, for networks that were built by then."""

    folder: Path
    definition: Definition
    outlines: tuple[CheckpointOutline, ...]

    @property
    def origin(self) -> Origin:
        """What the training said of itself in the checkpoint."""
        origin = self.outlines[0].origin
        assert origin is not None  # `find` leaves out those without one
        return origin

    @property
    def named(self) -> NamedDefinition:
        """The definition, and what it was called."""
        return NamedDefinition(name=self.origin.name, definition=self.definition)

    @property
    def step(self) -> int:
        """Steps done, if the latest checkpoint is whole."""
        return self.outlines[0].number

    def load(self, read: Callable[[Path], ResumePoint]) -> ResumePoint:
        """What `read` makes of the latest checkpoint that is whole. Errors: `DamagedState` if there is none."""
        try:
            found = newest([outline.path for outline in self.outlines], read)
        except Foreign as error:
            raise DamagedState(f"{error}, so training cannot go on from it; take another copy") from None
        if found is None:
            raise DamagedState(_cannot_go_on(self.folder))
        return found

    def copy_to(self, folder: Path, point: ResumePoint) -> None:
        """Let a training in the new `folder` begin at `point`, which was read from this one."""
        _copy_kept(self.folder, folder, point.arrays)
        save_checkpoint(folder / CHECKPOINTS, point.number, point.arrays)


def read_saved(folder: Path) -> SavedTraining:
    """What is in `folder`, which a training, `Dcgan.save` or the stage gan has left, or in which one was cut off.

    It takes next to no memory, and the networks of its definition are not larger than its files.
    Errors: a `UserError` where there is nothing of the kind, or it is damaged.
    """
    if not (folder / DEFINITION).is_file():
        raise UserError(f"{folder} holds no GAN: there is no {DEFINITION}")
    definition = read_definition(folder / DEFINITION)
    if not (outlines := _outlines(folder)):
        if not holds_training(folder):
            raise UserError(f"{folder}: the training in it was cut off before its first checkpoint; begin it anew")
        raise DamagedState(_cannot_go_on(folder))
    latest, digest = outlines[0], definition_digest(definition)
    if latest.origin is None:
        raise DamagedState(f"{latest.path} is of an earlier version of this program; {_without(folder)}")
    if (latest.origin.definition or digest) != digest:
        raise DamagedState(f"{folder}: its checkpoint and {DEFINITION} do not belong together; take another copy")
    size, _, channels = latest.origin.shape
    try:
        check_extent(definition, latest.bytes, size=size, channels=channels)
    except Foreign as error:
        told = f"its checkpoint and {DEFINITION} do not belong together; take another copy"
        raise DamagedState(f"{latest.path} {error}: {told}") from None
    return SavedTraining(folder, definition, tuple(each for each in outlines if each.origin == latest.origin))


def recorded_compute_mode(folder: Path) -> ComputeMode | None:
    """How the training that was cut off in `folder` computes; None where there is none, or it does not say."""
    with contextlib.suppress(DamagedState):  # who goes on from it says what is wrong
        return next((outline.origin.way for outline in _outlines(folder) if outline.origin), None)
    return None


def _outlines(folder: Path) -> list[CheckpointOutline]:
    """Of the checkpoints in `folder` that can be read so far, the latest first.

    Errors: `DamagedState` if there is none, and one is not damaged but holds what none can.
    """
    found, foreign = [], []
    for path in (folder / FINAL, *checkpoints(folder / CHECKPOINTS)):
        try:
            found.append(load_outline(path))
        except Foreign as error:
            foreign.append(f"{path} {error}; {_without(folder)}")
        except Damaged:
            continue
    if foreign and not found:
        raise DamagedState(foreign[0])
    return sorted(found, key=lambda each: each.number, reverse=True)


def write_definition(definition: Definition, folder: Path) -> None:
    """Leave `definition` in `folder`, every default written out."""
    text = json.dumps(as_tree(definition), indent=2) + "\n"
    write_whole(folder / DEFINITION, text.encode())


def write_training(training: Trainer, folder: Path) -> None:
    """Leave all in `folder` that going on from here depends on, its last checkpoint as final.npz.

    A process that is killed meanwhile leaves a folder from which the earlier or the later can go on, or none where
    there was none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    elsewhere = folder.resolve() != training.folder.resolve()
    write_definition(training.definition, folder)
    arrays = training.arrays()
    if elsewhere:
        _copy_kept(training.folder, folder, arrays)
    write_arrays(folder / FINAL, arrays)
    if elsewhere:  # of what was here before
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)


def as_checkpoint(training: Trainer, folder: Path) -> None:
    """Make the final.npz in `folder`, which is of `training` as it is, a checkpoint that later ones may follow."""
    save_checkpoint(folder / CHECKPOINTS, training.number, training.arrays())
    (folder / FINAL).unlink()


def _copy_kept(source: Path, target: Path, arrays: Arrays) -> None:
    """Copy lines, best weights, sheets and plots, as far as there are any, to `target`, and leave no others there.

    They come before a checkpoint, which will hold `arrays`: lines beyond one are dropped when training goes on, and
    missing ones would be lost.
    """
    target.mkdir(parents=True, exist_ok=True)
    most = max(MOST, sum(array.nbytes for array in arrays.values()))
    for name in KEPT:
        _copy(source / name, target / name, most)
    for name in SHOWN:
        if shown := {path.name for folder in (source, target) for path in (folder / name).glob("*")}:
            (target / name).mkdir(exist_ok=True)
        for each in shown:
            _copy(source / name / each, target / name / each, most)


def _copy(source: Path, target: Path, most: int) -> None:
    """Make `target` what `source` is, or nothing where `source` is no file of at most `most` bytes; a kill leaves the
    one or the other. A link is left out: what it leads to is not the folder's."""
    if source.is_file() and not source.is_symlink() and source.stat().st_size <= most:
        write_whole(target, source.read_bytes())
    else:
        target.unlink(missing_ok=True)


def check_target(folder: Path) -> None:
    """Raise a `UserError` unless a GAN may go into `folder`: a new one, an empty one, or one that holds a GAN."""
    if (folder / manifests.NAME).exists():
        raise UserError(f"{folder} is a finished folder of the pipeline, which never changes; name another one")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / DEFINITION).is_file():
        raise UserError(f"{folder} is not empty, and what it holds is no GAN; name another folder")


def holds_training(folder: Path) -> bool:
    """Whether there is a training in `folder`, whole or not; one without a checkpoint has not begun."""
    lines = folder / STATS
    return (
        any((folder / name).exists() for name in (FINAL, manifests.NAME))
        or any((folder / CHECKPOINTS).glob("step-*"))
        or (lines.is_file() and lines.stat().st_size > 0)
    )


def _cannot_go_on(folder: Path) -> str:
    state = "is damaged" if (folder / FINAL).exists() else "is missing"
    return f"{folder / FINAL} {state}, so training cannot go on; {_without(folder)}"


def _without(folder: Path) -> str:
    generator = folder / "generator.keras"
    return f"{generator} can still draw" if generator.is_file() else "take another copy"
