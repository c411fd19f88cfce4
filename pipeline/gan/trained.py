"""The folder that a training leaves, or lives in: what of it says all that going on depends on."""

import json
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.errors import DamagedState, UserError
from pipeline.gan.best import BEST
from pipeline.gan.checkpoint import Arrays, newest_checkpoint, read_arrays, save_checkpoint, write_arrays
from pipeline.gan.definition import Definition, as_tree, definition_digest, read_definition
from pipeline.gan.definition.named import Named
from pipeline.gan.stats import STATS
from pipeline.gan.training import CHECKPOINTS, FINAL, Training
from pipeline.images.png import write_whole
from pipeline.store import manifest as manifests

DEFINITION = "definition.json"
KEPT = (STATS, BEST)  # what a training reads again beside its checkpoint
SHOWN = ("samples", "plots")


@dataclass(frozen=True)
class Trained:
    """What the folder of a training holds: the definition, and the newest whole checkpoint."""

    folder: Path
    definition: Definition
    arrays: Arrays

    @property
    def seed(self) -> int:
        """What every random draw of the training follows from."""
        return self.origin["seed"]

    @property
    def named(self) -> Named:
        """The definition, and what it was called."""
        return Named(name=self.origin["name"], definition=self.definition)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of all its pictures, (N, S, S, C)."""
        return tuple(self.origin["images"])

    @property
    def step(self) -> int:
        """Steps done."""
        return int(self.arrays["step"])

    @cached_property
    def origin(self) -> dict[str, Any]:
        """What the training said of itself in the checkpoint."""
        return json.loads(self.arrays["origin"].tobytes())

    def copy_to(self, folder: Path) -> None:
        """Let a training in the new `folder` begin where this one is."""
        _copy_kept(self.folder, folder)
        save_checkpoint(folder / CHECKPOINTS, self.step, self.arrays)


def read_trained(folder: Path) -> Trained:
    """What is in `folder`, which a training, `Dcgan.save` or the stage gan has left, or in which one was cut off.

    Errors: a `UserError` where there is nothing of the kind, or it is damaged.
    """
    if not (folder / DEFINITION).is_file():
        raise UserError(f"{folder} holds no GAN: there is no {DEFINITION}")
    definition = read_definition(folder / DEFINITION)
    found = [read_arrays(folder / FINAL), newest_checkpoint(folder / CHECKPOINTS)]
    whole = [arrays for arrays in found if arrays]
    if not whole:
        if not holds_training(folder):
            raise UserError(f"{folder}: the training in it was cut off before its first checkpoint; begin it anew")
        state = "is damaged" if (folder / FINAL).exists() else "is missing"
        raise DamagedState(f"{folder / FINAL} {state}, so training cannot go on; {_without(folder)}")
    arrays = max(whole, key=lambda each: int(each["step"]))
    if "origin" not in arrays:
        raise DamagedState(f"{folder / FINAL} is of an earlier version of this program; {_without(folder)}")
    trained = Trained(folder, definition, arrays)
    if trained.origin.get("definition", digest := definition_digest(definition)) != digest:
        raise DamagedState(f"{folder}: its checkpoint and {DEFINITION} do not belong together; take another copy")
    return trained


def write_definition(definition: Definition, folder: Path) -> None:
    """Leave `definition` in `folder`, every default written out."""
    text = json.dumps(as_tree(definition), indent=2) + "\n"
    write_whole(folder / DEFINITION, text.encode())


def write_training(training: Training, folder: Path) -> None:
    """Leave all in `folder` that going on from here depends on, its last checkpoint as final.npz.

    A process that is killed meanwhile leaves a folder from which the earlier or the later can go on, or none where
    there was none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    elsewhere = folder.resolve() != training.folder.resolve()
    write_definition(training.definition, folder)
    if elsewhere:
        _copy_kept(training.folder, folder)
    write_arrays(folder / FINAL, training.arrays())
    if elsewhere:  # of what was here before
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)


def as_checkpoint(training: Training, folder: Path) -> None:
    """Make the final.npz in `folder`, which is of `training` as it is, a checkpoint that later ones may follow."""
    save_checkpoint(folder / CHECKPOINTS, training.number, training.arrays())
    (folder / FINAL).unlink()


def _copy_kept(source: Path, target: Path) -> None:
    """Copy lines, best weights, sheets and plots, as far as there are any, to `target`, and leave no others there.

    They come before a checkpoint: lines beyond one are dropped when training goes on, and missing ones would be lost.
    """
    target.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        _copy(source / name, target / name)
    for name in SHOWN:
        if shown := {path.name for folder in (source, target) for path in (folder / name).glob("*")}:
            (target / name).mkdir(exist_ok=True)
        for each in shown:
            _copy(source / name / each, target / name / each)


def _copy(source: Path, target: Path) -> None:
    """Make `target` what `source` is, or nothing where there is no `source`; a kill leaves the one or the other."""
    if source.is_file():
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


def _without(folder: Path) -> str:
    generator = folder / "generator.keras"
    return f"{generator} can still draw" if generator.is_file() else "take another copy"
