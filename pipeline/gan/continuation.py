"""Going on from an earlier training: which one a new training can continue, and the copy that it continues.

A training can continue another that differs in nothing but the number of epochs, as long as no schedule depends on that
number: then it takes the same steps as one that trains all epochs in one go, and ends bit-identical to it. A candidate
is a finished artifact, one that a time limit ended, or the work folder that a stopped run left. No TensorFlow here: a
plan asks as well.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DamagedState
from pipeline.gan.config import Definition
from pipeline.gan.stats_log import STATS, Row, read_rows
from pipeline.gan.training.ending import automatic_end, end_dependent_schedules, full_size_after, most_epochs
from pipeline.store import manifest as manifests
from pipeline.store.artifacts import WORK, ArtifactStore
from pipeline.store.digest import of_file
from pipeline.store.manifest import Manifest
from pipeline.store.npz import Npz, UnusableFile

FINAL, CHECKPOINT_FILES = "final.npz", "checkpoints/step-*.npz"  # the training loop has them, but loads TensorFlow
# The options in which a training may differ from the one that it continues
EPOCHS, MOST_STEPS, TOTAL_MINUTES = LENGTHS = "epochs", "most_steps", "total_minutes"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An earlier training with the same options but its length: its folder, how many it was to have, what it did."""

    folder: Path
    asked: int | None
    steps: int  # done
    rows: list[Row]  # of the epochs done
    minutes: float  # that it was to take; 0: no limit
    seconds: float  # of the steps done
    manifest: Manifest
    is_work: bool = False  # left by a stopped run

    @property
    def epochs(self) -> int:
        """Whole epochs done."""
        return int(self.rows[-1]["epoch"]) if self.rows else 0

    def is_within(self, epochs: int | None, *, most_steps: int, full_size_after: int) -> bool:
        """Whether it is no longer than a training of `epochs` epochs or, for None, than an automatic one."""
        if not self.rows:
            return True
        epoch_steps = self.rows[-1]["step"] / self.epochs
        if epochs is None:
            epochs = automatic_end(self.rows, full_size_after=full_size_after) or most_epochs(
                round(epoch_steps), most_steps
            )
        return bool(self.steps <= epochs * epoch_steps)

    def is_in_time(self, minutes: float) -> bool:
        """Whether it has taken no more than `minutes`; 0: no limit. One that these or fewer have ended has, but for its
        last step."""
        return not minutes or 0 < self.minutes <= minutes or self.seconds <= 60 * minutes

    def damage(self) -> str:
        """What is wrong with it, so that no training can go on from it; empty if it is intact. Reads its checkpoint."""
        if self.is_work:  # a damaged checkpoint is no loss as long as there is one before it
            intact = any(_is_intact(path) for path in self.folder.glob(CHECKPOINT_FILES))
            return "" if intact else f"{self.folder} has no intact checkpoint"
        try:
            manifests.check_files(self.manifest, self.folder)
            if (expected := self.manifest.files.get(FINAL)) and of_file(self.folder / FINAL) != expected[1]:
                return f"{self.folder / FINAL} is not what was written"
        except DamagedState as error:
            return str(error)
        except OSError as error:
            return f"{self.folder / FINAL} cannot be read ({error.strerror})"
        return ""


@dataclass(frozen=True, kw_only=True)
class Continuation:
    """Where a training goes on from; without a `folder` it begins from nothing, and `why_not` may say why.

    `damage` says what is wrong with a longer one, from which it would go on otherwise.
    """

    folder: Path | None = None
    epochs: int = 0
    why_not: str = ""
    damage: str = ""

    @property
    def remark(self) -> str:
        """The same in words for a plan; empty if there is no earlier training."""
        if self.folder:
            longer = f", because a longer training is damaged: {self.damage}" if self.damage else ""
            return f"goes on from epoch {self.epochs} of {self.folder}{longer}"
        if self.damage:
            return f"trains from nothing: the earlier training is damaged: {self.damage}"
        return f"trains from nothing: {self.why_not}" if self.why_not else ""


def find_continuation(store: ArtifactStore, wanted: Manifest, definition: Definition, *, size: int) -> Continuation:
    """The longest training in `store` that one with the key, options and inputs of `wanted` can go on from.

    `definition` and the `size` of the pictures are those that both have.
    """
    epochs, most_steps = wanted.options[EPOCHS], wanted.options[MOST_STEPS]
    minutes = wanted.options.get(TOTAL_MINUTES, 0.0)
    grown = full_size_after(definition, size)
    same = [candidate for candidate in _candidates(store, wanted) if candidate.steps]
    within = [
        candidate
        for candidate in same
        if candidate.is_in_time(minutes) and candidate.is_within(epochs, most_steps=most_steps, full_size_after=grown)
    ]
    schedules = end_dependent_schedules(definition)
    usable = [candidate for candidate in within if not schedules or candidate.asked == epochs]
    damaged: list[tuple[int, str]] = []  # steps, what is wrong
    for best in sorted(usable, key=lambda candidate: candidate.steps, reverse=True):  # of equal ones the first
        if not (damage := best.damage()):
            longer = next((what for steps, what in damaged if steps > best.steps), "")
            return Continuation(folder=best.folder, epochs=best.epochs, damage=longer)
        if best.manifest.key != wanted.key:  # the plan itself names what is made again
            damaged.append((best.steps, damage))
    if damaged:
        return Continuation(damage=damaged[0][1])
    if within and not usable:
        return Continuation(
            why_not=f"the number of epochs changed, and learning rates depend on it ({', '.join(schedules)})"
        )
    if longer_ones := [candidate for candidate in same if candidate not in within]:
        shortest = min(longer_ones, key=lambda candidate: candidate.steps)
        if not shortest.is_in_time(minutes):
            taken = f"took {shortest.seconds / 60:.2f} minutes, more than {minutes:g}"
        else:
            taken = f"has {shortest.epochs} epochs, more than {epochs or 'epochs = auto takes'}"
        return Continuation(why_not=f"{shortest.folder} {taken}")
    return Continuation()


def epochs_begun(folder: Path) -> int | None:
    """Whole epochs at the newest checkpoint in the work folder of a stopped run; None if there is none to resume at."""
    steps = newest_step(folder)
    if not steps:
        return None
    return max((int(row["epoch"]) for row in read_rows(folder / STATS) if row["step"] <= steps), default=0)


def _candidates(store: ArtifactStore, wanted: Manifest) -> Iterator[Candidate]:
    """Every training with the version, inputs and options of `wanted`, whatever its length."""
    finished = []  # with damaged ones
    for folder in store.folders():
        with contextlib.suppress(DamagedState):
            finished.append((folder, manifests.read(folder)))
    for folder, manifest in sorted(finished, key=lambda each: each[1].created):
        if _is_same(manifest, wanted):
            yield _candidate(folder, manifest, int(manifest.summary.get("steps", 0)))
    for folder in sorted(store.root.glob(f"{WORK}*")):
        with contextlib.suppress(DamagedState):
            manifest = manifests.read(folder)
            if _is_same(manifest, wanted) and manifest.key != wanted.key and not store.is_in_use(manifest.key):
                yield _candidate(folder, manifest, newest_step(folder), is_work=True)


def _is_same(manifest: Manifest, wanted: Manifest) -> bool:
    mine, theirs = ({**each.options, **dict.fromkeys(LENGTHS)} for each in (manifest, wanted))
    return (manifest.version, manifest.inputs, mine) == (wanted.version, wanted.inputs, theirs)


def _candidate(folder: Path, manifest: Manifest, steps: int, *, is_work: bool = False) -> Candidate:
    rows = [row for row in read_rows(folder / STATS) if row["step"] <= steps]
    asked = manifest.options[EPOCHS]
    return Candidate(
        folder=folder,
        asked=asked,
        steps=steps,
        rows=rows,
        minutes=manifest.options.get(TOTAL_MINUTES, 0.0),
        seconds=manifest.summary.get("seconds", sum(row["seconds"] for row in rows)),
        manifest=manifest,
        is_work=is_work,
    )


def newest_step(folder: Path) -> int:
    """The step of the newest checkpoint in a work folder; 0 if there is none."""
    names = (path.stem.partition("-")[2] for path in folder.glob(CHECKPOINT_FILES))
    return max((int(name) for name in names if name.isascii() and name.isdecimal()), default=0)


def _is_intact(path: Path) -> bool:
    """Whether the checkpoint `path` can be read to its end, without TensorFlow; each array of it has a checksum."""
    try:
        with Npz(path) as file:
            for name in file.names:
                file.array(name, file.header(name))
    except UnusableFile:
        return False
    return True
