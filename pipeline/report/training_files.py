"""The files of each training of a dataset: its sheets, networks, samples and report, and how it stands.

The page generated/<dataset>/index.html and the studio show trainings by what is found here.
"""

import json
import os
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pipeline.gan.stats_log import STATS
from pipeline.report.trainings import Training
from pipeline.store.artifacts import SHORT, Artifact, ArtifactStore

RUNNING, UNFINISHED, DONE, FAILED = "running", "unfinished", "done", "failed"
TAIL = 1 << 16  # bytes at the end of the statistics, where the last row is


@dataclass(frozen=True, kw_only=True)
class TrainingPaths:
    """Where trainings are: generated/<dataset>, and the artifacts of three stages."""

    folder: Path
    gan: ArtifactStore
    generate: ArtifactStore
    report: ArtifactStore


@dataclass(frozen=True, kw_only=True)
class TrainingFiles:
    """What there is of one training."""

    sheets: Path
    gan: Artifact | None
    generate: Artifact | None
    report: Artifact | None
    begun: bool  # a stopped or running run has left work in progress
    in_use: bool

    @property
    def exist(self) -> bool:
        """Whether anything is left."""
        return bool(self.gan or self.generate or self.report or self.begun or self.in_use or newest_sheet(self.sheets))

    def state(self, training: Training) -> str:
        """Running, unfinished, done or failed."""
        if self.in_use and (self.begun or not self.gan or is_unfinished(self.gan)):
            return RUNNING
        if self.gan and not is_unfinished(self.gan):
            return DONE
        return FAILED if training.error else UNFINISHED


def newest_sheet(folder: Path) -> Path | None:
    """The sample sheet of the last epoch in `folder`, or None."""
    return max(folder.glob("epoch-*.png"), default=None, key=lambda path: (len(path.name), path.name))


def is_unfinished(gan: Artifact) -> bool:
    """Whether a time limit ended the training."""
    manifest = gan.manifest
    return bool(getattr(manifest, "unfinished", False) or manifest.summary.get("unfinished"))


def training_of(gan: Artifact) -> Training:
    """The training that made `gan`, for the register."""
    manifest = gan.manifest
    epochs = manifest.options.get("epochs")
    return Training(
        number=0,
        key=manifest.key,
        definition=str(manifest.options.get("definition", "gan")),
        size=manifest.summary.get("size"),
        epochs=epochs if isinstance(epochs, int) else None,
        began=_before(manifest.created, manifest.seconds),
    )


def _before(time: str, seconds: float) -> str:
    try:
        return (datetime.fromisoformat(time) - timedelta(seconds=seconds)).isoformat(timespec="seconds")
    except ValueError:
        return time


@dataclass(frozen=True, kw_only=True)
class MadeArtifacts:
    """The artifacts of all trainings of a dataset, grouped once, so that each training finds its own at once."""

    gans: tuple[Artifact, ...]  # the oldest first
    gan_of: dict[str, Artifact]  # by content key; of several the one that was made last
    reports_of: dict[str, list[Artifact]]  # by the first digits of the training's key
    samples: tuple[Artifact, ...]  # the oldest first
    samples_of: dict[str, list[int]]  # places in `samples`, by the digest of the generator
    samples_in: dict[str, int]  # place in `samples`, by the name of the folder


def group_artifacts(paths: TrainingPaths) -> MadeArtifacts:
    """Every artifact of the stages gan, generate and report that `paths` have."""
    gans, samples = paths.gan.all(), paths.generate.all()
    reports_of: dict[str, list[Artifact]] = defaultdict(list)
    for each in paths.report.all():
        reports_of[_folder_read(each, "gan").partition(".")[0]].append(each)
    samples_of: dict[str, list[int]] = defaultdict(list)
    for place, each in enumerate(samples):
        samples_of[str(each.manifest.inputs.get("gan.generator", ""))].append(place)
    return MadeArtifacts(
        gans=tuple(gans),
        gan_of={each.manifest.key: each for each in gans},
        reports_of=dict(reports_of),
        samples=tuple(samples),
        samples_of=dict(samples_of),
        samples_in={each.folder.name: place for place, each in enumerate(samples)},
    )


def find_files(
    paths: TrainingPaths, sheets: Path, training: Training, made: MadeArtifacts, *, running: bool
) -> TrainingFiles:
    """What there is of `training`; of each stage the artifact that was made last. Not `running`: it cannot run now."""
    gan = made.gan_of.get(training.key)
    reports = made.reports_of.get(training.key[:SHORT], [])
    generator = gan.manifest.outputs.get("generator") if gan else None
    named = (made.samples_in.get(_folder_read(each, "generate")) for each in reports)
    places = [place for place in named if place is not None]
    places += made.samples_of.get(generator, []) if generator else []
    return TrainingFiles(
        sheets=sheets,
        gan=gan,
        generate=made.samples[max(places)] if places else None,
        report=reports[-1] if reports else None,
        begun=paths.gan.begun(training.key),
        in_use=running and paths.gan.is_in_use(training.key),
    )


def _folder_read(report: Artifact, stage: str) -> str:
    """The name of the folder of `stage` that `report` read; a remark may follow the name."""
    return str(report.manifest.inputs.get(f"{stage}.folder", "")).partition(" ")[0]


def epochs_done(files: TrainingFiles, state: str) -> int:
    """How many epochs are done."""
    recorded = files.gan.manifest.summary.get("epochs") if files.gan and state != RUNNING else None
    return recorded if isinstance(recorded, int) else last_epoch(files.sheets)


def epochs_in_words(training: Training, files: TrainingFiles, state: str) -> str:
    """How many epochs are done, of how many if it has not ended."""
    done = epochs_done(files, state)
    if state == DONE or training.epochs is None:
        return "1 epoch" if done == 1 else f"{done} epochs"
    return f"{done} of {training.epochs} epochs"


def last_epoch(sheets: Path) -> int:
    """The epoch of the newest sheet, or of the last whole row of the statistics beside it if that is later."""
    newest = newest_sheet(sheets)
    shown = sheet_epoch(newest) if newest else 0
    try:
        with (sheets / STATS).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            lines = file.read().splitlines()
    except OSError:
        return shown
    for line in reversed(lines):
        try:
            return max(shown, int(json.loads(line)["epoch"]))
        except (ValueError, TypeError, KeyError, OverflowError):
            continue
    return shown


def sheet_epoch(sheet: Path) -> int:
    """The epoch in the name of a sample sheet; 0 if there is none."""
    number = sheet.stem.partition("-")[2]
    return int(number) if number.isascii() and number.isdecimal() else 0


def score_in_words(generate: Artifact) -> str:
    """The KID of the samples, beside that of reals against reals, which alone says whether it is good."""
    found = generate.manifest.summary
    kid, floor, extractor = found.get("kid"), found.get("kid_floor"), found.get("extractor")
    if not isinstance(kid, float) or not isinstance(floor, float):
        return ""
    shown, shown_floor = (f"{round(value, 3) + 0.0:.3f}" for value in (kid, floor))  # never -0.000
    return f"KID {shown} (reals against reals {shown_floor}), measured with {extractor}"
